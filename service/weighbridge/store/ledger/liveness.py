"""Which manifests are live in a repository: counts, kept right by deltas.

A manifest is live while a tag of the repository names it or a live index lists it.
`repository_manifests` has a row for exactly the live ones, with both counts. What
enters or leaves takes its blobs with it, see `holdings`. All of it goes for many
repositories at once: a few statements for all of them.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final, TypeAlias

from msgspec import Struct, field
from sqlalchemy import Connection, and_, select

from weighbridge.store.dialect import (
    BulkDelete,
    BulkInsert,
    BulkUpdate,
    Rows,
    among_ids,
    given_ids,
    listed,
    probe,
)
from weighbridge.store.ledger.counts import Growth, count
from weighbridge.store.ledger.holdings import count_blobs
from weighbridge.store.ledger.manifest_facts import (
    ManifestFacts,
    keep_lacking,
    read_facts,
)
from weighbridge.store.ledger.scope_parts import LedgerPlace
from weighbridge.store.locks import lock_repositories
from weighbridge.store.models import repositories, repository_manifests

Counts: TypeAlias = tuple[int, int]
"""How many tags name a manifest, how many live indexes list it (each once)."""

_NONE: Final[Counts] = (0, 0)
_table = repository_manifests.c
_KEY: Final = ("repository_id", "manifest_id")
_VALUES: Final = ("tag_count", "index_count")
_given = given_ids(*_KEY)
_READ: Final = Rows(
    select(
        _table.repository_id, _table.manifest_id, _table.tag_count, _table.index_count
    ).select_from(
        probe(
            _given,
            repository_manifests,
            and_(
                _table.repository_id == _given.c.repository_id,
                _table.manifest_id == _given.c.manifest_id,
            ),
        )
    )
)
_NEW: Final = BulkInsert(repository_manifests, *_KEY, *_VALUES)
_CHANGED: Final = BulkUpdate(repository_manifests, key=_KEY, values=_VALUES)
_GONE: Final = BulkDelete(repository_manifests, key=_KEY)
_HOLDERS: Final = (
    select(_table.manifest_id, _table.repository_id, repositories.c.scope_id)
    .join(repositories, repositories.c.id == _table.repository_id)
    .where(among_ids(_table.manifest_id))
)


class _LivenessChange(Struct):
    """What goes up and down in one repository, in waves from its tags downwards.

    wave:  what is added to the counts of which manifests now
    first: their counts as they are stored
    net:   those that enter (1) or leave (-1) by all waves together
    flips: those that do by the last one
    """

    wave: dict[int, Counts]
    net: Counter[int] = field(default_factory=Counter)
    first: dict[int, Counts] = field(default_factory=dict)
    counts: dict[int, Counts] = field(default_factory=dict)
    flips: dict[int, int] = field(default_factory=dict)

    def unread(self) -> list[int]:
        """Manifests whose counts are to be read."""
        return [manifest for manifest in self.wave if manifest not in self.counts]

    def know(self, read: Mapping[int, Counts]) -> None:
        """Their counts; those that were not found have none."""
        for manifest in self.unread():
            self.first[manifest] = self.counts[manifest] = read.get(manifest, _NONE)

    def add_wave(self) -> None:
        """Add the wave to the counts."""
        self.flips = {}
        for manifest, (tags, indexes) in self.wave.items():
            was = self.counts[manifest]
            now = (was[0] + tags, was[1] + indexes)
            self.counts[manifest] = now
            if (flip := (now > _NONE) - (was > _NONE)) != 0:
                self.flips[manifest] = flip
        self.net.update(self.flips)

    def sink(self, facts: Mapping[int, ManifestFacts]) -> None:
        """Let the next wave be what the flips do to the children of indexes."""
        self.wave = _below(facts, self.flips)

    def moved(self, facts: Mapping[int, ManifestFacts]) -> dict[int, int]:
        """What of the net is kept, and so has blobs of its own."""
        return {
            manifest: flip
            for manifest, flip in self.net.items()
            if flip and manifest in facts and facts[manifest].has_facts
        }

    def changes(self) -> Iterable[tuple[int, Counts, Counts]]:
        """Manifests with their counts as they were and as they are now."""
        for manifest, now in self.counts.items():
            if (was := self.first[manifest]) != now:
                yield manifest, was, now


def shift(
    connection: Connection,
    tag_deltas: Mapping[LedgerPlace, Mapping[int, int]],
    fresh: Collection[int] = (),
) -> dict[LedgerPlace, Growth]:
    """Count that this many more (or fewer) tags name these manifests.

    The repositories' rows must be locked: `claiming.hold` does. fresh: repositories
    of which nothing was ever kept. Returns by how many live images and distinct bytes
    each repository has more.
    """
    changes = {
        place: _LivenessChange({m: (delta, 0) for m, delta in deltas.items() if delta})
        for place, deltas in tag_deltas.items()
    }
    return _run(connection, changes, {}, fresh)


def count_late(connection: Connection, manifests: Collection[int]) -> None:
    """Count what manifests lead to whose facts came after they were counted.

    Their rows must have been changed already, in this transaction: who counts one
    of them at the same time has locked it, or sees its facts. Their children enter
    each repository where they are live, their blobs and its images grow.
    """
    if not manifests:
        return
    parameters = {"ids": listed(sorted(manifests))}
    found = {row.repository_id for row in connection.execute(_HOLDERS, parameters)}
    if not found:
        return
    lock_repositories(connection, found)
    # Once more: a batch that we waited for may have let one go.
    held_by: dict[LedgerPlace, list[int]] = {}
    for manifest, *place in connection.execute(_HOLDERS, parameters):
        held_by.setdefault(LedgerPlace(*place), []).append(manifest)
    facts = read_facts(connection, manifests)
    changes = {
        place: _LivenessChange(_below(facts, dict.fromkeys(held, 1)), Counter(held))
        for place, held in held_by.items()
    }
    grown = _run(connection, changes, facts)
    for growth in grown.values():
        growth.referenced_bytes = None
    count(connection, {place.repository_id: growth for place, growth in grown.items()})


def _run(
    connection: Connection,
    changes: Mapping[LedgerPlace, _LivenessChange],
    arrived: Mapping[int, ManifestFacts],
    fresh: Collection[int] = (),
) -> dict[LedgerPlace, Growth]:
    """Waves down the indexes: one round of queries for each level, ids in Python.

    A recursive statement would be shorter, and fifty times slower where a planner
    misjudges it. arrived: what is known of live manifests whose own blobs count now
    """
    facts: dict[int, ManifestFacts] = dict(arrived)
    while any(change.wave for change in changes.values()):
        _read(connection, changes, fresh)
        entering: set[int] = set()
        unknown: set[int] = set()
        for change in changes.values():
            change.add_wave()
            unknown |= change.flips.keys() - facts.keys()
            entering.update(m for m, flip in change.flips.items() if flip > 0)
        facts |= read_facts(connection, unknown)
        facts |= keep_lacking(connection, facts, entering)
        for change in changes.values():
            change.sink(facts)
    _write(connection, changes)
    moved = {place: change.moved(facts) for place, change in changes.items()}
    grown = count_blobs(
        connection,
        {place: flips for place, flips in moved.items() if flips},
        {m: facts[m].config_id for flips in moved.values() for m in flips},
    )
    return {
        place: Growth(
            images=sum(flip for m, flip in flips.items() if facts[m].is_image),
            deduplicated_bytes=grown.get(place, 0),
        )
        for place, flips in moved.items()
    }


def _read(
    connection: Connection,
    changes: Mapping[LedgerPlace, _LivenessChange],
    fresh: Collection[int],
) -> None:
    asked = {
        place.repository_id: unread
        for place, change in changes.items()
        if place.repository_id not in fresh and (unread := change.unread())
    }
    found: dict[int, dict[int, Counts]] = {}
    if asked:
        rows = _READ.read(connection, {"keys": asked})
        for repository, manifest, tags, indexes in rows:
            found.setdefault(repository, {})[manifest] = (tags, indexes)
    for place, change in changes.items():
        change.know(found.get(place.repository_id, {}))


def _below(
    facts: Mapping[int, ManifestFacts], flips: Mapping[int, int]
) -> dict[int, Counts]:
    """What indexes that enter or leave do to the counts of their children."""
    deltas: Counter[int] = Counter()
    for index, flip in flips.items():
        if index in facts:
            for child in facts[index].children:
                deltas[child] += flip
    return {child: (0, delta) for child, delta in deltas.items() if delta}


def _write(
    connection: Connection, changes: Mapping[LedgerPlace, _LivenessChange]
) -> None:
    moved = sorted(
        ((place.repository_id, manifest), was, now)
        for place, change in changes.items()
        for manifest, was, now in change.changes()
    )
    _NEW.add(connection, [(*key, *now) for key, was, now in moved if was == _NONE])
    _CHANGED.set(
        connection, [(*key, *now) for key, was, now in moved if _NONE not in (was, now)]
    )
    _GONE.remove(connection, [key for key, _, now in moved if now == _NONE])
