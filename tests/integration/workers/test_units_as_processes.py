"""What each unit of deploy/systemd starts, as a process with the unit's environment,
says to a service manager: that it is ready, alive, reading again, stopping.

`deploy/test_systemd.py` has systemd itself do it.
"""

import re
import shlex
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from support.notify_socket import NotifySocket, a_notify_socket
from support.serving import free_address
from support.worker_crew import Crew, Process, a_crew

UNITS: Final = Path(__file__).parents[3] / "deploy/systemd"
NOWHERE: Final = "http://127.0.0.1:9"
WATCHED: Final = {"WATCHDOG_USEC": "900000"}
EXECUTABLE: Final = "/opt/weighbridge/bin/weighbridge"


def keys_of(unit: str) -> Mapping[str, str]:
    """The last value of each key."""
    text = (UNITS / unit).read_text()
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    with a_crew(tmp_path_factory.mktemp("units"), NOWHERE, engine="sqlite") as made:
        yield made


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[NotifySocket]:
    with a_notify_socket(tmp_path) as made:
        yield made


def started(crew: Crew, manager: NotifySocket, unit: str) -> Process:
    """What `ExecStart` says, with a credentials folder, and an address of its own."""
    executable, *arguments = shlex.split(keys_of(unit)["ExecStart"])
    assert executable == EXECUTABLE
    credentials = manager.path.with_name("credentials")
    credentials.mkdir()
    secret = credentials / "redis-url"
    secret.write_text(f"{crew.redis.url.reveal()}\n")
    return crew.start(
        *arguments,
        environment={
            "NOTIFY_SOCKET": str(manager.path),
            "CREDENTIALS_DIRECTORY": str(credentials),
            "WEIGHBRIDGE_REDIS_URL_FILE": str(secret),
            "WEIGHBRIDGE_BIND": free_address(),
            **WATCHED,
        },
    )


def stopped_in_time(process: Process, unit: str) -> int:
    within = re.fullmatch(r"(\d+)s", keys_of(unit)["TimeoutStopSec"])
    assert within
    return process.stop(within_s=float(within[1]))


@pytest.mark.parametrize(
    "unit",
    [
        # In every run systemd itself does it.
        pytest.param("weighbridge.service", marks=pytest.mark.long),
        "weighbridge-serve.service",
        "weighbridge-worker@.service",
        "weighbridge-scheduler.service",
    ],
)
def test_a_unit_is_ready_and_alive_and_stops_in_time(
    crew: Crew, manager: NotifySocket, unit: str
) -> None:
    process = started(crew, manager, unit)
    pid = process.popen.pid
    crew.wait_for(lambda: "READY=1" in manager.of(pid), "it is ready")
    crew.wait_for(lambda: manager.signs_of_life(pid) > 1, "it gives signs of life")
    reloads = "ExecReload" in keys_of(unit)
    if reloads:
        process.popen.send_signal(signal.SIGHUP)
        crew.wait_for(lambda: len(manager.of(pid)) == 3, "it has read again")

    assert stopped_in_time(process, unit) == 0

    again = ["RELOADING=1", "READY=1"] if reloads else []
    assert manager.of(pid)[: 1 + len(again)] == ["READY=1", *again]
    assert set(manager.of(pid)[1 + len(again) :]) == {"STOPPING=1"}
    # NotifyAccess=main: what others say is not heard.
    assert {by for by, _ in manager.said} == {pid}
    assert not manager.strangers


def test_only_units_that_read_again_are_told_to() -> None:
    told = {p.name for p in UNITS.glob("*.service") if "ExecReload" in keys_of(p.name)}

    assert told == {"weighbridge.service", "weighbridge-serve.service"}
