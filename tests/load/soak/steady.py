"""Tags move and nothing fails: how memory, descriptors and threads of each process come
along."""

import csv
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Final

import httpx

from load.soak.pushing import Pushing
from load.soak.site import Site, a_site
from support.process_group import ProcessNow, group_members
from support.replica.fleet import Fleet
from support.replica.process import fleet_replica

FLEET: Final = Fleet(repositories=100, tags=2_000, largest=200)
PUSHES_A_MINUTE: Final = 300
EVERY_S: Final = 10.0
MORE: Final = 1.02
"""So much of the memory of the second third the last one may have."""
LATE: Final = 3
"""Samples that a process may lack: a worker's children begin after it. What began later
than that has no three thirds."""
_PATHS: Final = (
    "/metrics",
    "/metrics/repositories",
    "/api/v1/repositories",
    "/api/v1/violations",
    "/",
)


@dataclass(slots=True)
class Watched:
    """The samples of one process; its first one is of when it had started."""

    samples: list[ProcessNow] = field(default_factory=list)

    def thirds(
        self,
        of: Callable[[Sequence[int]], float],
        value: Callable[[ProcessNow], int],
    ) -> tuple[float, float]:
        """The means, or whatever `of` makes, of the second and the last third."""
        values = [value(sample) for sample in self.samples]
        third = max(1, len(values) // 3)
        return of(values[third : 2 * third]), of(values[-third:])


Samples = dict[tuple[str, int], Watched]
"""By the name of a part and the number of its process."""


def steady(folder: Path, seed: int, seconds: float, tell: Callable[[str], None]) -> int:
    """So many seconds of it; prints a table, returns how many processes grew."""
    settings = {"interval": "10m"}
    chance = random.Random(seed)  # noqa: S311 - a die, no secret
    samples: Samples = {}
    with (
        fleet_replica(FLEET) as replica,
        a_site(folder, replica, settings) as site,
    ):
        addresses = [site.address, site.add_up()]
        site.start()
        pushing = Pushing(replica, FLEET, addresses, PUSHES_A_MINUTE, chance)
        pushing.start()
        _watch(site, addresses, samples, seconds)
        pushing.stop()
        tell(f"{pushing.moved} tags moved, taken: {dict(pushing.taken)}")
        if site.restarts:
            tell(f"ended and started anew: {dict(site.restarts)}")
    _write(samples, folder / "samples.csv")
    whole = max(len(watched.samples) for watched in samples.values())
    rows = [
        _row(name, w)
        for (name, _), w in samples.items()
        if len(w.samples) >= whole - LATE
    ]
    print(_table(rows))
    return sum(row.has_grown for row in rows) + sum(site.restarts.values())


def _watch(
    site: Site, addresses: Sequence[str], samples: Samples, seconds: float
) -> None:
    ends_at = time.monotonic() + seconds
    with httpx.Client(trust_env=False, timeout=10) as client:
        while time.monotonic() < ends_at:
            time.sleep(EVERY_S)
            for address in addresses:
                for path in _PATHS:
                    with suppress(httpx.TransportError):
                        client.get(f"http://{address}{path}")
            for name, process in list(site.running.items()):
                for member in group_members(process.popen.pid):
                    found = samples.setdefault((name, member.pid), Watched())
                    found.samples.append(member)


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    pid: int
    resident: tuple[float, float]
    descriptors: tuple[float, float]
    threads: tuple[float, float]

    @property
    def has_grown(self) -> bool:
        """One more is no growth: a connection or a thread that came and stays. Both
        counts are the least of a third: with each crawl of a registry connections
        come and go, and what is never closed is there at the quietest moment too."""
        second, last = self.resident
        counts = (self.descriptors, self.threads)
        return last > MORE * second or any(b > a + 1 for a, b in counts)


def _row(name: str, watched: Watched) -> _Row:
    return _Row(
        name,
        watched.samples[0].pid,
        watched.thirds(mean, lambda sample: sample.resident_bytes),
        watched.thirds(min, lambda sample: sample.descriptors),
        watched.thirds(min, lambda sample: sample.threads),
    )


def _write(samples: Samples, file: Path) -> None:
    """Every sample in its order, to be drawn where something grew."""
    with file.open("w", newline="") as text:
        rows = csv.writer(text)
        rows.writerow(("process", "pid", "bytes", "descriptors", "threads"))
        for (name, pid), watched in samples.items():
            for one in watched.samples:
                rows.writerow(
                    (name, pid, one.resident_bytes, one.descriptors, one.threads)
                )


def _table(rows: Sequence[_Row]) -> str:
    lines = [
        "of the second and the last third: mean memory, least descriptors and threads",
        f"{'process':<22}{'MiB':>24}{'':>8}{'descriptors':>16}{'threads':>16}",
    ]
    for row in rows:
        second, last = (value / 2**20 for value in row.resident)
        lines.append(
            f"{f'{row.name} {row.pid}':<22}{second:>12.1f}{last:>12.1f}"
            f"{100 * (last / second - 1):>+7.1f}%"
            f"{row.descriptors[0]:>8}{row.descriptors[1]:>8}"
            f"{row.threads[0]:>8}{row.threads[1]:>8}"
            f"{'  GREW' if row.has_grown else ''}"
        )
    return "\n".join(lines)
