"""The inventory, rendered once per change and copied per scrape."""

import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from weighbridge.errors import StoreError
from weighbridge.store import reports
from weighbridge.store.session import Database
from weighbridge.web.exposition import Gauges, exposition
from weighbridge.web.inventory import (
    Inventory,
    count_series,
    inventory_families,
    name_of,
    take_inventory,
)

REFRESH_S: Final = 15.0
# Level 1 takes off nine tenths; higher ones cost several times as much for little.
_ZIP_LEVEL: Final = 1
_GZIP_FORMAT: Final = 31  # zlib: window bits 15, plus 16 for a gzip wrapper


class Body:
    """Text in both codings, to which a last part can be added at little cost."""

    def __init__(self, plain: bytes) -> None:
        self._plain = plain
        self._compressor = zlib.compressobj(_ZIP_LEVEL, zlib.DEFLATED, _GZIP_FORMAT)
        self._zipped = self._compressor.compress(plain)

    def with_end(self, end: bytes) -> "Rendered":
        """The whole of it; the compressor is copied, so that nothing before `end`
        is compressed again."""
        compressor = self._compressor.copy()
        zipped = self._zipped + compressor.compress(end) + compressor.flush()
        return Rendered(self._plain + end, zipped)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The bytes that a scrape gets, plain and as gzip."""

    plain: bytes
    zipped: bytes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the inventory.

    version:    what the store calls this state
    checked_at: Unix seconds at which it was last known to be current
    collect_s:  seconds that reading and rendering it took
    """

    version: str
    checked_at: float
    collect_s: float
    series: int
    inventory: Inventory
    body: Body
    rendered: Rendered
    by_registry: dict[str, Rendered] = field(default_factory=dict)

    def of_registry(self, name: str) -> Rendered | None:
        """The part of one registry, None if there is no such registry."""
        if name not in self.by_registry:
            if all(registry.name != name for registry in self.inventory.registries):
                return None
            families = inventory_families(_part(self.inventory, name))
            self.by_registry[name] = Body(exposition(families)).with_end(b"")
        return self.by_registry[name]


class SnapshotKeeper:
    """Keeps the newest snapshot. At most every 15 s, and only if the store's
    version moved, one thread renders; the others are served what there is.

    While `watch` runs, that is its thread, and no scrape ever waits.
    """

    def __init__(
        self,
        database: Database,
        max_series: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._max_series = max_series
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._looked_at = 0.0
        self._failed = False
        self._is_watched = False

    @property
    def failed(self) -> bool:
        """Whether the last look at the database failed."""
        return self._failed

    def current(self) -> Snapshot:
        """The snapshot to serve, refreshed first if that is due and nobody watches.

        Raises what the store raises, but only while there is none at all.
        """
        kept = self._snapshot
        if kept is None:
            with self._lock:
                return self._snapshot or self._refresh(None)
        return kept if self._is_watched else self._renewed(kept)

    def watch(self, stop: threading.Event, every_s: float = 1.0) -> None:
        """Refresh until told to stop; meant for a thread of its own."""
        self._is_watched = True
        try:
            while not stop.wait(every_s):
                if self._snapshot is not None:
                    self._renewed(self._snapshot)
        finally:
            self._is_watched = False

    def _renewed(self, kept: Snapshot) -> Snapshot:
        if not self._is_due() or not self._lock.acquire(blocking=False):
            return kept
        try:
            return self._refresh(kept)
        except StoreError:
            return kept  # Old numbers beat none, and `failed` tells.
        finally:
            self._lock.release()

    def _is_due(self) -> bool:
        return self._clock() - self._looked_at >= REFRESH_S

    def _refresh(self, kept: Snapshot | None) -> Snapshot:
        self._looked_at = self._clock()
        self._failed = True
        snapshot = self._look(kept)
        self._failed = False
        self._snapshot = snapshot
        return snapshot

    def _look(self, kept: Snapshot | None) -> Snapshot:
        started = self._clock()
        with self._database.read() as connection:
            version = reports.snapshot_version(connection)
            if kept is not None and kept.version == version:
                return checked(kept, self._wall(), self._max_series)
            inventory = take_inventory(
                reports.registry_reports(connection),
                reports.repository_rows(connection),
                self._max_series,
                {name_of(row) for row in kept.inventory.rows} if kept else set(),
            )
        snapshot = take_snapshot(inventory, version)
        snapshot = replace(snapshot, collect_s=self._clock() - started)
        return checked(snapshot, self._wall(), self._max_series)


def take_snapshot(inventory: Inventory, version: str) -> Snapshot:
    """Render the inventory; `checked` then adds what is true of the moment."""
    families = inventory_families(inventory)
    body = Body(exposition(families))
    return Snapshot(
        version=version,
        checked_at=0.0,
        collect_s=0.0,
        series=count_series(families),
        inventory=inventory,
        body=body,
        rendered=body.with_end(b""),
    )


def checked(snapshot: Snapshot, now: float, max_series: int) -> Snapshot:
    """The same inventory, known to be current at `now` (Unix seconds)."""
    snapshot = replace(snapshot, checked_at=now)
    end = exposition(_about(snapshot, max_series))
    return replace(snapshot, rendered=snapshot.body.with_end(end))


def _about(snapshot: Snapshot, max_series: int) -> list[Gauges]:
    inventory = snapshot.inventory
    values = (
        (
            "snapshot_timestamp_seconds",
            "When the inventory was last known to be current.",
            round(snapshot.checked_at),
        ),
        (
            "collect_duration_seconds",
            "How long reading and rendering the inventory took.",
            round(snapshot.collect_s, 6),
        ),
        (
            "repositories_exposed",
            "Repositories with series of their own.",
            len(inventory.rows),
        ),
        (
            "repositories_omitted",
            "Repositories left out to keep the budget.",
            inventory.omitted,
        ),
        ("series", "Series of the inventory.", snapshot.series),
        ("series_limit", "The budget that the inventory keeps.", max_series),
        (
            "detail_level",
            "3 all families, 2 core families, 1 heaviest repositories, 0 registries.",
            inventory.level,
        ),
    )
    return [
        Gauges(f"weighbridge_exporter_{name}", text, [("", value)])
        for name, text, value in values
    ]


def _part(inventory: Inventory, name: str) -> Inventory:
    return replace(
        inventory,
        registries=tuple(r for r in inventory.registries if r.name == name),
        rows=tuple(row for row in inventory.rows if row.registry == name),
    )
