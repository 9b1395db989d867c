"""A real Prometheus with the shipped rules, a real Alertmanager, and who listens."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from support.alert_rules import PROMETHEUS, RULE_FILES, program
from support.prometheus import Prometheus, prometheus
from support.serving import free_address, serving


@dataclass(slots=True)
class Receiver:
    """What Alertmanager sends to a webhook, in the order in which it came."""

    url: str
    messages: list[dict[str, object]] = field(default_factory=list)

    def find(self, alert_name: str, status: str) -> dict[str, object] | None:
        """The first alert of this name and status that was told."""
        for message in self.messages:
            alerts = message["alerts"]
            assert isinstance(alerts, list)
            for alert in alerts:
                name = alert["labels"]["alertname"]
                if (name, alert["status"]) == (alert_name, status):
                    return dict(alert)
        return None


@contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    """A receiver on loopback that says 200 to everything."""
    messages: list[dict[str, object]] = []

    class Hook(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the messages are kept."""

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            messages.append(json.loads(self.rfile.read(length)))
            self.send_response(200)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Receiver(f"http://127.0.0.1:{server.server_address[1]}/", messages)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def alertmanager(folder: Path, receiver: Receiver) -> Iterator[str]:
    """An Alertmanager that tells the receiver at once; its URL."""
    with alertmanager_process(folder, hasty(receiver)) as (url, _):
        yield url


def hasty(receiver: Receiver) -> str:
    """The configuration of one that tells the receiver at once."""
    config = {
        "route": {
            "receiver": "hook",
            "group_by": ["alertname", "team"],
            "group_wait": "1s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "hook", "webhook_configs": [{"url": receiver.url}]}],
    }
    return yaml.safe_dump(config)


@contextmanager
def alertmanager_with(folder: Path, configuration: str) -> Iterator[str]:
    """An Alertmanager with this configuration, with no others; its URL."""
    with alertmanager_process(folder, configuration) as (url, _):
        yield url


@contextmanager
def alertmanager_process(
    folder: Path, configuration: str
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The same, with its process."""
    folder.mkdir()
    (folder / "alertmanager.yml").write_text(configuration, encoding="utf-8")
    address = free_address()
    command = [
        program("prometheus-alertmanager"),
        "--config.file=alertmanager.yml",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with serving(command, folder, address) as process:
        yield f"http://{address}", process


def with_shipped_rules(
    folder: Path, target: str, alertmanager_url: str
) -> AbstractContextManager[Prometheus]:
    """A Prometheus that scrapes a Weighbridge each second, as the shipped example
    does, with the shipped rules in a hurry."""
    folder.mkdir()
    hasten_rules(folder)
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        job |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
        if job["static_configs"] != [{"targets": []}]:
            job["static_configs"] = [{"targets": [target]}]
    (manager,) = config["alerting"]["alertmanagers"]
    told = alertmanager_url.removeprefix("http://")
    manager["static_configs"] = [{"targets": [told]}]
    return prometheus(folder, config)


def hasten_rules(folder: Path) -> None:
    """Copies of the shipped rules in which every duration is a second. The real ones
    are promtool's to judge: nobody waits ten minutes for a test."""
    for name in RULE_FILES:
        document = yaml.safe_load((PROMETHEUS / name).read_text("utf-8"))
        for group in document["groups"]:
            for rule in group["rules"]:
                hasty = {"for", "keep_firing_for"} & rule.keys()
                rule |= dict.fromkeys(hasty, "1s")
        (folder / name).write_text(yaml.safe_dump(document, sort_keys=False))
