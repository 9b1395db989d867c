"""What TLS takes from the requests that one process answers."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from load.bench.comparison import Comparison
from load.bench.measured import clean_environment, measured, weighbridge
from load.bench.results import Result, Tally, ratio
from load.bench.scene import Scene, say
from support.certificates import an_authority
from support.serving import free_address
from support.wait import wait_in_thread

_SECONDS: Final = 5
_IN_FLIGHT: Final = 32
_START_S: Final = 60.0
_PATHS: Final = {"/healthz": "health", "/api/v1/registries": "API"}
_RATE: Final = re.compile(r"^Requests/sec: +([0-9.]+)$", re.MULTILINE)
_BAD: Final = re.compile(r"^ +(?:Non-2xx|Socket errors).*$", re.MULTILINE)
_ABOUT: Final = f"""\
Two `weighbridge up` of one registry that is away, one with `web.tls` (a certificate of
EC P-256, TLS 1.3), one without. `wrk` asks each in turn for {_SECONDS} seconds, with
{_IN_FLIGHT} connections: kept ones, and with a new one for each request, of which every
one is a whole handshake. `/healthz` does nothing, so that it shows what TLS costs at
most; `/api/v1/registries` reads the database."""


def run(scene: Scene) -> Result:
    """Rounds of both."""
    folder, tally, rounds = scene.work_folder("tls"), Tally(), scene.options.rounds
    with _serving(folder / "plain", None) as plain:
        authority_folder = folder / "authority"
        authority_folder.mkdir()
        file = an_authority(authority_folder).server_file("127.0.0.1")
        with _serving(folder / "tls", file) as tls:
            for number in range(rounds):
                say(f"tls: round {number + 1}")
                for path, what in _PATHS.items():
                    for how in ("kept", "new"):
                        for name, url in (("plain", plain), ("TLS", tls)):
                            rate = _rate(f"{url}{path}", folder, is_new=how == "new")
                            tally.note(_name(what, how, name), "requests/s", rate)
    shares = [
        ratio(
            f"{what}, {how} connections: TLS over plain",
            tally.figure(_name(what, how, "TLS"), "requests/s"),
            tally.figure(_name(what, how, "plain"), "requests/s"),
            percent=True,
        )
        for what in _PATHS.values()
        for how in ("kept", "new")
    ]
    return Result("tls", rounds, (*tally.figures, *shares))


def _name(what: str, how: str, name: str) -> str:
    return f"{what}, {how} connections, {name}"


def _rate(url: str, folder: Path, *, is_new: bool) -> float:
    header = ["-H", "Connection: close"] if is_new else []
    command = ["wrk", "-t1", f"-c{_IN_FLIGHT}", f"-d{_SECONDS}s", *header, url]
    said = measured(command, folder).output.decode()
    found = _RATE.search(said)
    if found is None or _BAD.search(said):
        raise RuntimeError(said)
    return float(found[1])


@contextmanager
def _serving(folder: Path, certificate: Path | None) -> Iterator[str]:
    """`weighbridge up`; its URL."""
    folder.mkdir()
    address = free_address()
    web: dict[str, object] = {"bind": address}
    if certificate is not None:
        web["tls"] = {"cert_file": str(certificate), "key_file": str(certificate)}
    settings = {
        "database_url": f"sqlite:///{folder / 'weighbridge.db'}",
        # Nobody listens on port 1.
        "registries": [{"name": "hub", "url": "http://127.0.0.1:1", "interval": "1d"}],
        "web": web,
    }
    # JSON is YAML.
    (folder / "weighbridge.yaml").write_text(json.dumps(settings), encoding="utf-8")
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            weighbridge("up", "--config", "weighbridge.yaml"),
            cwd=folder,
            env=clean_environment(folder),
            stdout=subprocess.DEVNULL,
            stderr=stream,
        )
    with process:
        try:
            wait_in_thread(
                lambda: "serves" in log.read_text(), "it serves", deadline_s=_START_S
            )
            yield f"{'http' if certificate is None else 'https'}://{address}"
        finally:
            process.terminate()


COMPARISON: Final = Comparison("tls", "Serving over TLS", _ABOUT, run)
