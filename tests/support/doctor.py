"""What `weighbridge doctor` finds, here and as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from weighbridge.cli.main import run

Capture = pytest.CaptureFixture[str]
_WITHOUT_RIGHTS: Final = (
    *("setpriv", "--bounding-set", "-dac_override,-dac_read_search"),
)


@dataclass(frozen=True, slots=True)
class Look:
    """One run. items: as JSON has them"""

    code: int
    items: tuple[Mapping[str, object], ...]
    said: str

    def of(self, name: str, state: str) -> Mapping[str, str]:
        """The one line of this name in this state."""
        found = [i for i in self.items if (i["name"], i["state"]) == (name, state)]
        assert len(found) == 1, self.items
        return {key: str(value) for key, value in found[0].items()}

    @property
    def faults(self) -> list[object]:
        return [item["name"] for item in self.items if item["state"] == "fault"]

    @property
    def names(self) -> set[object]:
        return {item["name"] for item in self.items}


def configure(folder: Path, **keys: object) -> None:
    """JSON is YAML."""
    (folder / "weighbridge.yaml").write_text(json.dumps(keys))


def look(capsys: Capture, *options: str) -> Look:
    """In this process."""
    code = run(["doctor", "-o", "json", *options])
    told = capsys.readouterr()
    return _read(code, told.out, told.err)


def look_apart(
    folder: Path, environ: Mapping[str, str], *, obeys_rights: bool = False
) -> Look:
    """As a process of its own. obeys_rights: files are closed to it though it is
    root's"""
    begin = _WITHOUT_RIGHTS if obeys_rights and os.geteuid() == 0 else ()
    done = subprocess.run(
        [*begin, sys.executable, "-m", "weighbridge", "doctor", "-o", "json"],
        cwd=folder,
        env=dict(environ),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return _read(done.returncode, done.stdout, done.stderr)


def _read(code: int, out: str, err: str) -> Look:
    assert out, err
    return Look(code, tuple(json.loads(out)["items"]), out + err)
