"""A real Prometheus with the shipped rules, a real Alertmanager, and who listens."""

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from support.alert_rules import PROMETHEUS, RULE_FILES, program
from support.message_sink import MessageSink, message_sink
from support.prometheus import Prometheus, prometheus
from support.serving import free_address, serving


@dataclass(frozen=True, slots=True)
class Receiver:
    """A webhook of Alertmanager that says 200 to everything."""

    sink: MessageSink

    @property
    def url(self) -> str:
        return self.sink.url

    def find(self, alert_name: str, status: str) -> dict[str, object] | None:
        """The first alert of this name and status that was sent."""
        for message in self.sink.received:
            for alert in message.body["alerts"]:
                name = alert["labels"]["alertname"]
                if (name, alert["status"]) == (alert_name, status):
                    return dict(alert)
        return None


@contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    """On loopback until the block ends."""
    with message_sink() as sink:
        yield Receiver(sink)


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
