"""The inventory, rendered once per change and copied per scrape; and which repositories
`/metrics/repositories` shows, within its budget.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain.policy.policy import NO_POLICIES, PolicySet
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.domain.series_budget import (
    Budget,
    Ladder,
    Level,
    bases_shown,
    ladder,
)
from weighbridge.errors import StoreError
from weighbridge.store.reports.bases import heaviest_bases
from weighbridge.store.reports.inventory import (
    InventoryRow,
    heaviest_ids,
    inventory_pieces,
    pinned_ids,
    registry_reports,
    snapshot_version,
)
from weighbridge.store.reports.repository_savings import registry_savings
from weighbridge.store.session import Connection, Database
from weighbridge.store.violations.waivers import active_waivers
from weighbridge.web.metrics.families import (
    RECLAIMABLE,
    REGISTRY_SAVING,
    SAVING,
    RepositoryFamily,
    Violating,
    families_of,
    limit_families,
    read_violating,
    with_limits,
)
from weighbridge.web.metrics.reclaimable import NOT_COUNTED, Reclaimable
from weighbridge.web.metrics.reclaimable import REGISTRY as RECLAIMABLE_OF_REGISTRY
from weighbridge.web.metrics.rendering import (
    EncodedText,
    Gauges,
    Rendered,
    Text,
    exposition,
    render,
)

HOLD_S: Final = 24 * 3600.0
"""How long a repository stays that is no longer heavy enough to come in, and families
stay away that would fit only just."""


class Choice(Struct, frozen=True):
    """Who is shown.

    registries: those that are configured; others have no series
    ids:     the repositories at level 1, None: all of them
    waning:  of those, since when (Unix seconds) they would not come in any more
    level_since: since when (Unix seconds) it is this level
    exposed: how many are shown, and `omitted` how many are not
    pinned_omitted: of those left out, how many the configuration wants to stay
    """

    level: Level
    registries: tuple[RegistryReport, ...]
    exposed: int
    omitted: int
    pinned_omitted: int = 0
    ids: frozenset[int] | None = None
    waning: Mapping[int, float] = field(default_factory=dict)
    level_since: float = 0.0


class ShownSeries(Struct, frozen=True):
    """What is shown besides the numbers of a repository.

    limits:    how many kinds of limits any policy sets
    violating: those that exceed one: they come first after the pinned ones
    bases:     how many bases
    """

    limits: int
    violating: Violating
    bases: int = 0


def configured(registries: Sequence[RegistryReport]) -> tuple[RegistryReport, ...]:
    """Those that have series."""
    return tuple(r for r in registries if r.state != "unconfigured")


def choose(
    connection: Connection,
    registries: Sequence[RegistryReport],
    budget: Budget,
    now: float,
    before: Choice | None,
    wanted: ShownSeries,
) -> Choice:
    """Choose what fits; `before` was shown the last time.

    Totals of registries are always over all repositories.
    """
    shown = configured(registries)
    repositories = sum(registry.repositories for registry in shown)
    step = ladder(
        budget,
        len(shown),
        repositories,
        limits=wanted.limits,
        violations=wanted.violating.series,
        bases=wanted.bases,
        was_below=_was_below(before, now),
    )
    since = now
    if before is not None and before.level == step.level:
        since = before.level_since
    if step.level >= 2:
        return Choice(step.level, shown, repositories, 0, level_since=since)
    pinned = pinned_ids(connection, budget.pin)
    if step.level == 0:
        return Choice(
            0, shown, 0, repositories, len(pinned), frozenset(), level_since=since
        )
    heaviest = heaviest_ids(connection, step.most)
    first = list(dict.fromkeys([*pinned, *wanted.violating.ids]))
    ids, waning = _some(step, first, heaviest, before, now)
    return Choice(
        level=1,
        registries=shown,
        exposed=len(ids),
        omitted=repositories - len(ids),
        pinned_omitted=sum(identity not in ids for identity in pinned),
        ids=frozenset(ids),
        waning=waning,
        level_since=since,
    )


def _was_below(before: Choice | None, now: float) -> bool:
    """Whether families left so short a while ago that they may be about to again."""
    if before is None or before.level == 3:
        return False
    return now - before.level_since < HOLD_S


def _some(
    step: Ladder,
    first: Sequence[int],
    heaviest: Sequence[int],
    before: Choice | None,
    now: float,
) -> tuple[Set[int], Mapping[int, float]]:
    """Those that are to come first, then the heaviest up to the rank at which one
    comes in, then who was there before and has not sunk too far, for a day."""
    ids = dict.fromkeys(first[: step.most])
    ranked = [identity for identity in heaviest if identity not in ids]
    enter = max(0, step.enter - len(ids))
    ids |= dict.fromkeys(ranked[:enter])
    if before is None or before.level == 0:
        return ids.keys(), {}
    waning: dict[int, float] = {}
    for identity in ranked[enter:]:
        if len(ids) == step.most:
            break
        since = before.waning.get(identity, now)
        was_shown = before.ids is None or identity in before.ids
        if was_shown and now - since < HOLD_S:
            ids[identity] = None
            waning[identity] = since
    return ids.keys(), waning


def pieces(
    connection: Connection, choice: Choice, columns: Sequence[str]
) -> Iterator[list[InventoryRow]]:
    """The rows that are shown, by registry and name."""
    if choice.level == 0:
        return iter(())
    return inventory_pieces(connection, columns, choice.ids)


REFRESH_S: Final = 15.0


class Snapshot(Struct, frozen=True):
    """One state of the inventory.

    policies:   those whose limits it shows
    waivers:    those that were in force
    version:    what the store calls this state
    checked_at: Unix seconds at which it was last known to be current
    collect_s:  seconds that reading and rendering it took
    reclaimable_version: of what it shows as reclaimable
    """

    choice: Choice
    text: Text
    body: EncodedText
    policies: PolicySet
    waivers: ActiveWaivers
    version: str = ""
    checked_at: float = 0.0
    collect_s: float = 0.0
    reclaimable_version: int = 0
    rendered: Rendered = Rendered(b"", b"")
    by_registry: dict[str, Rendered] = field(default_factory=dict)

    @property
    def registries(self) -> tuple[RegistryReport, ...]:
        """Those that have series."""
        return self.choice.registries

    def of_registry(self, name: str) -> Rendered | None:
        """The part of one registry, None if there is no such registry."""
        if name not in self.by_registry:
            if all(registry.name != name for registry in self.registries):
                return None
            part = EncodedText(self.text.of_registry(name)).with_end(b"")
            self.by_registry[name] = part
        return self.by_registry[name]


class SnapshotKeeper:
    """Keeps the newest snapshot. At most every 15 s, and only if the store's
    version moved, one thread renders; the others are served what there is. Other
    policies are rendered at once.

    While `watch` runs, that is its thread, and no scrape ever waits.

    is_watched: whether it runs
    failed:     whether the last read of the database failed
    why_none:   why the last attempt to make the first snapshot failed
    """

    def __init__(
        self,
        database: Database,
        budget: Budget,
        *,
        policies: Callable[[], PolicySet] = lambda: NO_POLICIES,
        reclaimable: Callable[[], Reclaimable] = lambda: NOT_COUNTED,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._budget = budget
        self._policies = policies
        self._reclaimable = reclaimable
        self._tried: PolicySet | None = None
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._read_at = 0.0
        self.failed = False
        self.why_none: StoreError | None = None
        self._asked = threading.Event()
        self.is_watched = False

    @property
    def ready(self) -> Snapshot | None:
        """What can be served without any read of the database; None: `current` must
        be asked, which may take a while."""
        return self._snapshot if self.is_watched else None

    @property
    def is_asked(self) -> bool:
        """Whether anybody has scraped yet."""
        return self._snapshot is not None

    def ask(self) -> None:
        """Have the thread that watches make the first snapshot, where there is none;
        where nobody scrapes, nothing is rendered."""
        if self._snapshot is None and not self._asked.is_set():
            self.why_none = None
            self._asked.set()

    def wake(self) -> None:
        """Have the thread that watches see at once that it was told to stop."""
        self._asked.set()

    def current(self) -> Snapshot:
        """The snapshot to serve, refreshed first if that is due and nobody watches.

        Raises what the store raises, but only while there is none at all.
        """
        kept = self._snapshot
        if kept is None:
            with self._lock:
                return self._snapshot or self._refresh(None)
        return kept if self.is_watched else self._renewed(kept)

    def watch(self, stop: threading.Event, every_s: float = 1.0) -> None:
        """Refresh until told to stop; meant for a thread of its own."""
        self.is_watched = True
        try:
            while not stop.is_set():
                if self._snapshot is not None:
                    self._renewed(self._snapshot)
                    stop.wait(every_s)
                elif self._asked.wait(every_s) and not stop.is_set():
                    self._make_first()
        finally:
            self.is_watched = False

    def _make_first(self) -> None:
        try:
            self.current()
        except StoreError as exc:
            self.why_none = exc
        finally:
            # Whoever asks from now on asks for another read.
            self._asked.clear()

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
        is_late = self._clock() - self._read_at >= REFRESH_S
        return is_late or self._policies() is not self._tried

    def _refresh(self, kept: Snapshot | None) -> Snapshot:
        self._read_at = self._clock()
        self.failed = True
        self._tried = policies = self._policies()
        snapshot = self._take(kept, policies)
        self.failed = False
        self._snapshot = snapshot
        return snapshot

    def _take(self, kept: Snapshot | None, policies: PolicySet) -> Snapshot:
        started = self._clock()
        reclaimable = self._reclaimable()
        with self._database.read() as connection:
            version = snapshot_version(connection)
            waivers = active_waivers(connection, _moment(self._wall()))
            if (
                kept is not None
                and kept.version == version
                and kept.policies is policies
                and kept.waivers.waivers == waivers.waivers
                and kept.reclaimable_version == reclaimable.version
            ):
                return checked(kept, self._wall(), self._budget)
            before = kept.choice if kept is not None else None
            snapshot = take_snapshot(
                connection,
                self._budget,
                self._wall(),
                before,
                policies,
                reclaimable,
            )
        collect_s = self._clock() - started
        snapshot = replace(snapshot, version=version, collect_s=collect_s)
        return checked(snapshot, self._wall(), self._budget)


def take_snapshot(
    connection: Connection,
    budget: Budget,
    now: float,
    before: Choice | None = None,
    policies: PolicySet = NO_POLICIES,
    reclaimable: Reclaimable = NOT_COUNTED,
) -> Snapshot:
    """Read and render the inventory; `checked` then adds what is true of the moment."""
    registries = registry_reports(connection)
    limits = limit_families(policies)
    at = _moment(now)
    waivers = active_waivers(connection, at)
    names = {registry.name for registry in configured(registries)}
    violating = read_violating(connection, names, waivers, at)
    bases = heaviest_bases(connection, bases_shown(budget, len(names)))
    savings = registry_savings(connection)
    wanted = ShownSeries(len(limits), violating, len(bases))
    choice = choose(connection, registries, budget, now, before, wanted)
    further: set[RepositoryFamily] = set()
    for family, known in (
        (SAVING, savings),
        (RECLAIMABLE, reclaimable.of_repositories),
    ):
        if not known:
            continue
        more = replace(wanted, limits=wanted.limits + 1)
        with_more = choose(connection, registries, budget, now, before, more)
        # These are the first to go where not all fits.
        if (with_more.level, with_more.exposed) == (choice.level, choice.exposed):
            choice, wanted = with_more, more
            further.add(family)
    families = families_of(budget.families if choice.level == 3 else ())
    families = (*families, *further & {SAVING})
    rows = pieces(connection, choice, [family.column for family in families])
    shown = with_limits(
        rows,
        policies,
        limits,
        waivers,
        at,
        violating,
        [reclaimable.of_repositories] if RECLAIMABLE in further else [],
    )
    text = render(
        choice.registries,
        shown,
        (*families, *limits, *further & {RECLAIMABLE}),
        violating.by_policy,
        bases,
        (
            (RECLAIMABLE_OF_REGISTRY, reclaimable.of_registries),
            (REGISTRY_SAVING, savings),
        ),
    )
    body = EncodedText(text.plain)
    return Snapshot(
        choice, text, body, policies, waivers, reclaimable_version=reclaimable.version
    )


def _moment(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)


def checked(snapshot: Snapshot, now: float, budget: Budget) -> Snapshot:
    """The same inventory, known to be current at `now` (Unix seconds)."""
    snapshot = replace(snapshot, checked_at=now)
    end = exposition(_about(snapshot, budget))
    return replace(snapshot, rendered=snapshot.body.with_end(end))


def _about(snapshot: Snapshot, budget: Budget) -> list[Gauges]:
    choice = snapshot.choice
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
            choice.exposed,
        ),
        (
            "repositories_omitted",
            "Repositories left out to keep the budget.",
            choice.omitted,
        ),
        (
            "pinned_repositories_omitted",
            "Of those, the ones that the configuration pins: the budget is too small.",
            choice.pinned_omitted,
        ),
        ("series", "Series of the inventory.", snapshot.text.series),
        ("series_limit", "The budget that the inventory keeps.", budget.max_series),
        (
            "detail_level",
            "3 all wanted families, 2 core families, 1 some repositories, 0 none.",
            choice.level,
        ),
    )
    return [
        Gauges(f"weighbridge_exporter_{name}", text, [("", value)])
        for name, text, value in values
    ]
