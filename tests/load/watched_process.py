"""A process of ours and its memory, sample by sample."""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

EVERY_S: Final = 1.0
_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """How far the work was, in whatever the caller counts, and the resident bytes."""

    done: int
    resident_bytes: int


@dataclass(slots=True)
class WatchedProcess:
    """A running command. `done` tells how far it is; samples are taken until it ends.

    peak_bytes: the largest resident set, as the kernel counted it
    """

    process: subprocess.Popen[str]
    done: Callable[[], int]
    samples: list[Sample] = field(default_factory=list)
    peak_bytes: int = 0

    def wait(self, meanwhile: Callable[[], None] = lambda: None) -> str:
        """Its standard output, once it has ended well; `meanwhile` is called about
        once a second."""
        printed: list[str] = []
        reader = threading.Thread(target=lambda: printed.append(self._read()))
        reader.start()
        with self.process:
            while self.process.poll() is None:
                self._sample()
                meanwhile()
                time.sleep(EVERY_S)
            reader.join()
        assert self.process.returncode == 0, printed[0][-2_000:]
        return printed[0]

    def mean_bytes(self, start: float, end: float) -> float:
        """The mean resident set while the work was between these shares of all."""
        total = self.samples[-1].done
        chosen = [
            sample.resident_bytes
            for sample in self.samples
            if start * total <= sample.done <= end * total
        ]
        assert chosen, f"no sample between {start} and {end} of the work"
        return sum(chosen) / len(chosen)

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def _sample(self) -> None:
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        if "VmRSS" not in fields:
            return  # It has ended and waits to be noticed.
        self.peak_bytes = _bytes(fields["VmHWM"])
        self.samples.append(Sample(self.done(), _bytes(fields["VmRSS"])))


def watch(command: Sequence[str], done: Callable[[], int]) -> WatchedProcess:
    """Start a command whose standard output is a result and not long."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return WatchedProcess(process, done)


def _bytes(kib: str) -> int:
    return int(kib.split()[0]) * _KIB
