"""The units of deploy/systemd, by a real systemd, installed as the page about them says
(docs/deploying/systemd.md): each block of commands of that page is run here."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from support.machine import ROOT, Machine, a_machine
from support.missing import skip_or_fail
from support.page_examples import blocks_of
from support.wait import wait_in_thread

UNITS: Final = sorted((ROOT / "deploy/systemd").glob("*.service"))
BLOCKS: Final = blocks_of("deploying/systemd.md")
MOST_EXPOSED: Final = 2.0
REGISTRY: Final = "http://127.0.0.1:5001"
POLICY: Final = "/etc/weighbridge/policies.d/a.yaml"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """With a registry, and the units installed."""
    with a_machine(tmp_path) as made:
        made.run(
            *(
                "systemd-run",
                "--quiet",
                "--unit=registry",
                "/opt/weighbridge/bin/python",
            ),
            *("-m", "weighbridge.demo", REGISTRY.rpartition(":")[2]),
        )
        run_blocks(made, "User, folders, units")
        yield made


def texts(heading: str, language: str = "sh") -> list[str]:
    """The page's blocks of a language below a heading."""
    found = [b.text for b in BLOCKS if (b.heading, b.language) == (heading, language)]
    assert found, heading
    return found


def run_blocks(machine: Machine, heading: str) -> None:
    for text in texts(heading):
        machine.shell(f"cd /opt/source\n{text}")


def configure(machine: Machine, heading: str, more: str = "") -> None:
    """The file that stands below that heading, over the registry of the test."""
    (text,) = texts(heading, "yaml")
    assert text.count("https://registry.example") == 1
    text = text.replace("https://registry.example", REGISTRY)
    file = Path(f"/proc/{machine.pid}/root/etc/weighbridge/weighbridge.yaml")
    file.write_text(text + more)


def wait_until_active(machine: Machine, *units: str) -> None:
    for unit in units:
        wait_in_thread(
            lambda unit=unit: machine.show(unit, "ActiveState") == "active",  # type: ignore[misc] # mypy infers no default
            f"{unit} is active",
            seen=lambda unit=unit: machine.log(unit),  # type: ignore[misc] # the same
        )


def exposure(unit: Path) -> float:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stderr
    return float(found[1])


@pytest.fixture(scope="module")
def analyze() -> None:
    try:
        subprocess.run(
            ["systemd-analyze", "--version"], capture_output=True, check=True
        )
    except FileNotFoundError:
        skip_or_fail("no systemd-analyze (package systemd)")


@pytest.mark.usefixtures("analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_may_do_little(unit: Path) -> None:
    assert exposure(unit) <= MOST_EXPOSED


@pytest.mark.usefixtures("analyze")
def test_a_unit_that_may_more_is_found(tmp_path: Path) -> None:
    loose = tmp_path / "loose.service"
    loose.write_text("[Service]\nUser=weighbridge\nExecStart=/bin/true\n")

    assert exposure(loose) > MOST_EXPOSED


def hardening(unit: Path) -> Sequence[str]:
    text = unit.read_text()
    return text[text.index("User=weighbridge") : text.index("[Install]")].splitlines()


def test_all_units_are_limited_alike() -> None:
    assert len({tuple(hardening(unit)) for unit in UNITS}) == 1


def test_one_process_as_the_page_says(machine: Machine) -> None:
    configure(machine, "Configure", 'policy_files: ["policies.d/*.yaml"]\n')
    run_blocks(machine, "Configure")

    run_blocks(machine, "Start")

    # It is started only once it serves.
    unit = "weighbridge.service"
    assert machine.show(unit, "Result") == "success"
    pid = machine.show(unit, "MainPID")
    status = machine.run("cat", f"/proc/{pid}/status")
    assert re.search(r"^CapBnd:\t0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
    assert not re.search(r"^Uid:\t0\b", status, re.MULTILINE)
    within = ("nsenter", f"--target={pid}", "--mount", "cat")
    assert machine.run(*within, "/etc/weighbridge/secrets/builds") == "the password\n"
    assert "weighbridge weighbridge" in machine.shell(
        "stat --format '%U %G' /var/lib/weighbridge/weighbridge.db*"
    )
    assert "root" not in machine.shell("stat --format %U /var/lib/weighbridge/*")

    # A policy that is new holds after a reload.
    machine.shell(f"echo 'policies: [{{name: new, max_layers: 1}}]' >{POLICY}")
    machine.run("systemctl", "reload", "weighbridge")
    wait_in_thread(
        lambda: "policies were read again" in machine.log(unit),
        "the policies are read again",
        seen=lambda: machine.log(unit),
    )
    wait_until_active(machine, unit)
    assert machine.show(unit, "MainPID") == pid

    # It gives signs of life.
    assert int(machine.show(unit, "WatchdogTimestampMonotonic")) > 0
    assert machine.show(unit, "WatchdogUSec") == "1min"
    run_blocks(machine, "What the units may do")

    machine.run("systemctl", "stop", "weighbridge")
    assert machine.show(unit, "Result") == "success"
    assert machine.show(unit, "ExecMainStatus") == "0"

    # Root writes to the database while nothing runs, and it still belongs to the unit.
    machine.shell("/opt/weighbridge/bin/weighbridge token create --role read --name it")
    machine.run("systemctl", "start", "weighbridge")
    assert "root" not in machine.shell("stat --format %U /var/lib/weighbridge/*")


@pytest.mark.long  # a second start; that it gives signs of life is seen above
def test_a_process_that_stands_still_is_started_again(machine: Machine) -> None:
    configure(machine, "Configure")
    run_blocks(machine, "Configure")
    # The other name of a credential.
    machine.shell(
        "sed --in-place s,secrets/builds,/run/credentials/weighbridge.service/builds,"
        " /etc/weighbridge/weighbridge.yaml"
    )
    unit = "weighbridge.service"
    machine.shell(
        f"printf '[Service]\\nWatchdogSec=1s\\nRestartSec=0\\n'"
        f" >/etc/systemd/system/{unit}.d/soon.conf; systemctl daemon-reload"
    )
    machine.run("systemctl", "start", unit)
    pid = machine.show(unit, "MainPID")

    machine.run("kill", "-STOP", pid)

    def is_another() -> bool:
        return machine.show(unit, "NRestarts") == "1" and pid != machine.show(
            unit, "MainPID"
        )

    wait_in_thread(is_another, "it is started again", seen=lambda: machine.log(unit))
    wait_until_active(machine, unit)
    assert "Fatal Python error: Aborted" in machine.log(unit)
    assert re.search(r"^Thread 0x", machine.log(unit), re.MULTILINE)


def test_a_wrong_configuration_is_not_tried_again(machine: Machine) -> None:
    configure(machine, "Configure", "no_such_key: 1\n")

    machine.run("systemctl", "start", "weighbridge", fails=True)

    assert machine.show("weighbridge.service", "ActiveState") == "failed"
    assert machine.show("weighbridge.service", "NRestarts") == "0"
    assert "no_such_key" in machine.log("weighbridge.service")


@pytest.mark.long  # 20 s: PostgreSQL, Redis and three of our processes
def test_several_processes_as_the_page_says(machine: Machine) -> None:
    configure(machine, "Configure")
    run_blocks(machine, "Configure")
    machine.run("systemctl", "start", "weighbridge")
    machine.shell(
        "version=$(ls /usr/lib/postgresql | sort -n | tail -1)\n"
        'pg_dropcluster "$version" main 2>/dev/null || true\n'
        'pg_createcluster --start "$version" main\n'
        "systemctl start redis-server"
    )
    servers, units = texts("Several processes")

    machine.shell(servers)
    configure(machine, "Several processes")
    machine.shell(units)

    ours = ("weighbridge-serve", "weighbridge-worker@1", "weighbridge-scheduler")
    wait_until_active(machine, *(f"{name}.service" for name in ours))
    assert machine.show("weighbridge.service", "ActiveState") == "inactive"
    wait_in_thread(
        lambda: (
            "tutorial/hello" in machine.shell("/opt/weighbridge/bin/weighbridge top")
        ),
        "the registry is crawled",
        seen=lambda: "".join(machine.log(f"{name}.service") for name in ours),
    )
    for name in ours:
        assert machine.show(f"{name}.service", "NRestarts") == "0", name
        assert machine.show(f"{name}.service", "WatchdogUSec") == "1min", name
        assert machine.show(f"{name}.service", "WatchdogTimestampMonotonic") != "0"
    before = {name: machine.show(f"{name}.service", "MainPID") for name in ours}
    machine.run("systemctl", "restart", "weighbridge.target")
    wait_until_active(machine, *(f"{name}.service" for name in ours))
    for name in ours:
        assert machine.show(f"{name}.service", "MainPID") != before[name], name
    machine.run("systemctl", "stop", "weighbridge.target")
    for name in ours:
        wait_in_thread(
            lambda name=name: machine.show(name, "ActiveState") == "inactive",  # type: ignore[misc] # as above
            f"{name} has stopped",
        )
        assert machine.show(f"{name}.service", "Result") == "success", name


def test_every_block_of_the_page_is_run_by_a_test() -> None:
    shown = dict.fromkeys(b.heading for b in BLOCKS if b.language == "sh")
    assert {b.language for b in BLOCKS} == {"sh", "yaml"}
    assert list(shown) == [
        "Install",  # test_air_gapped.py
        "User, folders, units",
        "Configure",
        "Start",
        "What the units may do",
        "Several processes",
    ]
