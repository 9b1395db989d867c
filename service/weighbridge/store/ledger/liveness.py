"""Which manifests are live in a repository: counts, kept right by deltas, from what is
known of the manifests.

A manifest is live while a tag of the repository names it or a live index lists it.
`repository_manifests` has a row for exactly the live ones, with both counts. What
enters or leaves takes its blobs with it, see `holdings`. All of it goes for many
repositories at once: a few statements for all of them.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from msgspec import Struct, field
from sqlalchemy import Connection, and_, bindparam, func, select, update

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.sharing import NOT_LIVE, Counts
from weighbridge.store.dialect import (
    BulkDelete,
    BulkInsert,
    BulkUpdate,
    Rows,
    among_ids,
    given_ids,
    listed,
    probe,
    probe_if_any,
    settles_at_once,
)
from weighbridge.store.ledger.counts import Growth, count
from weighbridge.store.ledger.expressions import HAS_FACTS, IS_IMAGE
from weighbridge.store.ledger.holdings import count_blobs
from weighbridge.store.ledger.scopes import LedgerPlace
from weighbridge.store.models import (
    artifacts,
    base_repositories,
    blobs,
    images,
    index_members,
    repositories,
    repository_manifests,
)
from weighbridge.store.session import lock_repositories

_table = repository_manifests.c
# One statement and not four, so that all of it is of one moment.
_FACTS: Final = Rows(
    select(
        blobs.c.id,
        HAS_FACTS.label("has_facts"),
        IS_IMAGE.label("is_image"),
        func.coalesce(images.c.config_id, artifacts.c.config_id).label("config_id"),
        images.c.problems.is_not(None).label("has_problems"),
        index_members.c.child_id,
    )
    .select_from(
        probe_if_any(
            blobs,
            (images, images.c.id == blobs.c.id),
            (artifacts, artifacts.c.id == blobs.c.id),
            # Children of an index that was pruned are history: it leads nowhere now.
            (index_members, and_(index_members.c.index_id == blobs.c.id, HAS_FACTS)),
        )
    )
    .where(among_ids(blobs.c.id))
)
_KEEP_AS_IT_IS: Final = (
    select(blobs.c.id)
    .where(among_ids(blobs.c.id))
    .order_by(blobs.c.id)
    .with_for_update(read=True)
)
_LACKING: Final = (
    select(index_members.c.index_id)
    .join(blobs, blobs.c.id == index_members.c.child_id)
    .where(among_ids(index_members.c.index_id), ~HAS_FACTS)
    .distinct()
)
# Without a code: known to a crawl that listed it, and pruned before that was written.
_MISSING: Final = (
    select(
        blobs.c.digest,
        func.coalesce(blobs.c.facts_code, "child_missing").label("facts_code"),
    )
    .join_from(repository_manifests, blobs, blobs.c.id == _table.manifest_id)
    .where(
        _table.repository_id == bindparam("repository"),
        ~HAS_FACTS,
    )
    .order_by(blobs.c.id)
    .limit(bindparam("most"))
)


class ManifestFacts(Struct):
    """What is known of a manifest; nothing, where its document was never read.

    has_problems: of an image: its config may come late
    """

    has_facts: bool
    is_image: bool
    config_id: int | None
    has_problems: bool = False
    children: set[int] = field(default_factory=set)


_LED_TO_MORE: Final = (
    update(base_repositories)
    .where(among_ids(base_repositories.c.repository_id))
    .values(is_recorded=False)
)


def read_facts(
    connection: Connection, manifests: Collection[int]
) -> dict[int, ManifestFacts]:
    """What is known of these blobs as manifests."""
    found: dict[int, ManifestFacts] = {}
    if not manifests:
        return found
    rows = _FACTS.read(connection, {"ids": listed(sorted(manifests))})
    for manifest, has_facts, is_image, config_id, has_problems, child in rows:
        facts = found.get(manifest)
        if facts is None:
            facts = found[manifest] = ManifestFacts(
                has_facts, is_image, config_id, has_problems
            )
        if child is not None:
            facts.children.add(child)
    return found


def keep_lacking(
    connection: Connection,
    facts: Mapping[int, ManifestFacts],
    entering: Collection[int],
) -> dict[int, ManifestFacts]:
    """Lock what enters without facts, or without what a config says, and read it again:
    whoever brings that has committed by now, or will find us among the holders."""
    lacking = sorted(
        manifest
        for manifest in entering
        if (known := facts.get(manifest)) is not None
        and (known.has_problems or not known.has_facts)
    )
    if not lacking or settles_at_once(connection.dialect):
        return {}
    connection.execute(_KEEP_AS_IT_IS, {"ids": listed(lacking)})
    return read_facts(connection, lacking)


def find_lacking(connection: Connection, index_ids: Collection[int]) -> set[int]:
    """Those indexes of which a child's document is not kept."""
    if not index_ids:
        return set()
    rows = connection.execute(_LACKING, {"ids": listed(index_ids)})
    return set(rows.scalars())


def missing_manifests(
    connection: Connection, repository_id: int, most: int
) -> dict[Digest, str]:
    """Live manifests of a repository whose documents are not kept, with the code that
    says why; at most so many."""
    rows = connection.execute(_MISSING, {"repository": repository_id, "most": most})
    return {row.digest: row.facts_code for row in rows}


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
            self.first[manifest] = self.counts[manifest] = read.get(manifest, NOT_LIVE)

    def add_wave(self) -> None:
        """Add the wave to the counts."""
        self.flips = {}
        for manifest, (tags, indexes) in self.wave.items():
            was = self.counts[manifest]
            now = (was[0] + tags, was[1] + indexes)
            self.counts[manifest] = now
            if (flip := (now > NOT_LIVE) - (was > NOT_LIVE)) != 0:
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
    each repository where they are live, their blobs and its images grow. Of a base
    repository it is to be noted again what its tags lead to: see `base_sweep`.
    """
    if not manifests:
        return
    parameters = {"ids": listed(sorted(manifests))}
    found = {row.repository_id for row in connection.execute(_HOLDERS, parameters)}
    if not found:
        return
    lock_repositories(connection, found)
    connection.execute(_LED_TO_MORE, {"ids": listed(sorted(found))})
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
    found = read_counts(connection, asked)
    for place, change in changes.items():
        change.know(found.get(place.repository_id, {}))


def read_counts(
    connection: Connection, manifests: Mapping[int, Collection[int]]
) -> dict[int, dict[int, Counts]]:
    """By repository the counts of those of its manifests that are live."""
    found: dict[int, dict[int, Counts]] = {}
    if manifests:
        rows = _READ.read(connection, {"keys": manifests})
        for repository, manifest, tags, indexes in rows:
            found.setdefault(repository, {})[manifest] = (tags, indexes)
    return found


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
    _NEW.add(connection, [(*key, *now) for key, was, now in moved if was == NOT_LIVE])
    _CHANGED.set(
        connection,
        [(*key, *now) for key, was, now in moved if NOT_LIVE not in (was, now)],
    )
    _GONE.remove(connection, [key for key, _, now in moved if now == NOT_LIVE])
