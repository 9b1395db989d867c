"""A replica registry in a process of its own, for the length of a block."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest

from support.data import recorded_path
from support.replica.changes import Change
from support.replica.fleet import Fleet
from support.serving import PLAIN

_TESTS: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Replica:
    """A registry that is being served at `url`; `process_id` is for measuring it."""

    url: str
    process_id: int

    @property
    def address(self) -> str:
        """Such as 127.0.0.1:41234."""
        return self.url.removeprefix("http://")

    def counts(self) -> dict[str, int]:
        """Requests by kind: ping, catalog, tags, head_manifest, get_manifest,
        head_blob, get_blob, get_range, get_layer, other; those that were made."""
        return self._counts("GET")

    def reset_counts(self) -> dict[str, int]:
        """The same, and count from nothing again."""
        return self._counts("DELETE")

    def change(self, *changes: Change) -> None:
        """Move and remove tags; the next answer knows it."""
        said = [change.as_json() for change in changes]
        answer = httpx.post(
            f"{self.url}/_changes", json=said, trust_env=False, verify=PLAIN
        )
        answer.raise_for_status()

    def _counts(self, method: str) -> dict[str, int]:
        answer = httpx.request(
            method, f"{self.url}/_counts", trust_env=False, verify=PLAIN
        )
        answer.raise_for_status()
        counted: dict[str, int] = answer.json()
        return counted


@contextmanager
def dataset_replica(
    only: Sequence[str] = ("*",), *, delay_ms: float = 0.0
) -> Iterator[Replica]:
    """The recorded images; `only` as of `dataset_content`. Skips the test where the
    data set is absent."""
    recorded_path("dataset/images.jsonl.gz")
    patterns = [f"--only={pattern}" for pattern in only]
    with _serving(["dataset", *patterns], delay_ms) as replica:
        yield replica


@contextmanager
def written_replica() -> Iterator[Replica]:
    """The few images of `tests/data`."""
    with _serving(["written"], 0.0) as replica:
        yield replica


@contextmanager
def fleet_replica(
    fleet: Fleet | None = None, *, delay_ms: float = 0.0
) -> Iterator[Replica]:
    """Made-up images, a million tags by default."""
    shape = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in asdict(fleet or Fleet()).items()
    ]
    with _serving(["fleet", *shape], delay_ms) as replica:
        yield replica


@contextmanager
def _serving(arguments: Sequence[str], delay_ms: float) -> Iterator[Replica]:
    command = [sys.executable, "-m", "support.replica.serve", "--until-stdin-ends"]
    paths = [str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [*command, f"--delay-ms={delay_ms}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    with process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                pytest.fail("the replica registry did not start; it says why above")
            yield Replica(url, process.pid)
        finally:
            process.terminate()
