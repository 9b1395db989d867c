"""Which manifests are live in a repository: counts, kept right by deltas.

A manifest is live while a tag of the repository names it or a live index lists it.
`repository_manifests` has a row for exactly the live ones, with both counts. What
enters or leaves takes its blobs with it, see `ledger`.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sqlalchemy import Connection, and_, bindparam, func, select

from weighbridge.domain.digest import Digest
from weighbridge.store.dialect import (
    ChangedRows,
    GoneRows,
    NewRows,
    Rows,
    among_ids,
    listed,
    settles_at_once,
)
from weighbridge.store.ledger.counts import add_counts, mark_uncounted
from weighbridge.store.ledger.facts import HAS_FACTS, IS_IMAGE
from weighbridge.store.ledger.holdings import count_blobs
from weighbridge.store.locks import lock_repositories
from weighbridge.store.models import (
    artifacts,
    blobs,
    images,
    index_members,
    repositories,
    repository_manifests,
)

Counts: TypeAlias = tuple[int, int]
"""How many tags name a manifest, how many live indexes list it (each once)."""

_table = repository_manifests.c
_KEY: Final = ("repository_id", "manifest_id")
_VALUES: Final = ("tag_count", "index_count")
_READ: Final = select(_table.manifest_id, _table.tag_count, _table.index_count).where(
    _table.repository_id == bindparam("repository"), among_ids(_table.manifest_id)
)
_NEW: Final = NewRows(repository_manifests, *_KEY, *_VALUES)
_CHANGED: Final = ChangedRows(repository_manifests, key=_KEY, values=_VALUES)
_GONE: Final = GoneRows(repository_manifests, key=_KEY)
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
    .outerjoin_from(blobs, images, images.c.id == blobs.c.id)
    .outerjoin(artifacts, artifacts.c.id == blobs.c.id)
    # Children of an index that was pruned are history: it leads nowhere now.
    .outerjoin(index_members, and_(index_members.c.index_id == blobs.c.id, HAS_FACTS))
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
_HOLDERS: Final = (
    select(_table.manifest_id, _table.repository_id, repositories.c.scope_id)
    .join(repositories, repositories.c.id == _table.repository_id)
    .where(among_ids(_table.manifest_id))
)


@dataclass(slots=True)
class ManifestFacts:
    """What is known of a manifest; nothing, where its document was never read.

    has_problems: of an image: its config may come late
    """

    has_facts: bool
    is_image: bool
    config_id: int | None
    has_problems: bool = False
    children: set[int] = field(default_factory=set)


def shift(
    connection: Connection,
    scope_id: int,
    repository_id: int,
    tag_deltas: Mapping[int, int],
) -> int:
    """Count that this many more (or fewer) tags name these manifests.

    The repository's row must be locked: `claiming.hold` does. Returns by how much
    the number of live images changed.
    """
    wave = {manifest: (delta, 0) for manifest, delta in tag_deltas.items() if delta}
    return _run(connection, scope_id, repository_id, wave, {})


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
    held_by: dict[tuple[int, int], list[int]] = {}
    for manifest, repository, scope in connection.execute(_HOLDERS, parameters):
        held_by.setdefault((repository, scope), []).append(manifest)
    facts = read_facts(connection, manifests)
    for (repository, scope), held in sorted(held_by.items()):
        arrived = {manifest: facts[manifest] for manifest in held}
        wave = _below(facts, dict.fromkeys(held, 1))
        images_more = _run(connection, scope, repository, wave, arrived)
        add_counts(connection, repository, image_delta=images_more)
    mark_uncounted(connection, {repository for repository, _ in held_by})


def _run(
    connection: Connection,
    scope_id: int,
    repository_id: int,
    wave: dict[int, Counts],
    arrived: Mapping[int, ManifestFacts],
) -> int:
    """Waves down the indexes: one round of queries for each level, ids in Python.

    A recursive statement would be shorter, and fifty times slower where a planner
    misjudges it. arrived: live manifests whose own blobs are to be counted now
    """
    first: dict[int, Counts] = {}
    counts: dict[int, Counts] = {}
    facts: dict[int, ManifestFacts] = dict(arrived)
    net: Counter[int] = Counter(dict.fromkeys(arrived, 1))
    while wave:
        unread = [manifest for manifest in wave if manifest not in counts]
        first |= _read(connection, repository_id, unread)
        counts |= {manifest: first[manifest] for manifest in unread}
        flips: dict[int, int] = {}
        for manifest, (tags, indexes) in wave.items():
            was = counts[manifest]
            now = (was[0] + tags, was[1] + indexes)
            counts[manifest] = now
            if (flip := (now > (0, 0)) - (was > (0, 0))) != 0:
                flips[manifest] = flip
        net.update(flips)
        facts |= read_facts(connection, flips.keys() - facts.keys())
        facts |= _keep_lacking(connection, facts, flips)
        wave = _below(facts, flips)
    _write(connection, repository_id, first, counts)
    moved = {
        m: flip for m, flip in net.items() if flip and m in facts and facts[m].has_facts
    }
    configs = {manifest: facts[manifest].config_id for manifest in moved}
    count_blobs(connection, scope_id, repository_id, moved, configs)
    return sum(flip for m, flip in moved.items() if facts[m].is_image)


def _read(
    connection: Connection, repository_id: int, manifests: list[int]
) -> dict[int, Counts]:
    found: dict[int, Counts] = dict.fromkeys(manifests, (0, 0))
    if not manifests:
        return found
    parameters = {"repository": repository_id, "ids": listed(manifests)}
    for manifest, tags, indexes in connection.execute(_READ, parameters):
        found[manifest] = (tags, indexes)
    return found


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


def _keep_lacking(
    connection: Connection, facts: Mapping[int, ManifestFacts], flips: Mapping[int, int]
) -> dict[int, ManifestFacts]:
    """Lock what enters without facts, or without what a config says, and read it again:
    whoever brings that has committed by now, or will find us among the holders."""
    lacking = sorted(
        manifest
        for manifest, flip in flips.items()
        if flip > 0
        and (known := facts.get(manifest)) is not None
        and (known.has_problems or not known.has_facts)
    )
    if not lacking or settles_at_once(connection.dialect):
        return {}
    connection.execute(_KEEP_AS_IT_IS, {"ids": listed(lacking)})
    return read_facts(connection, lacking)


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
    connection: Connection,
    repository_id: int,
    first: Mapping[int, Counts],
    counts: Mapping[int, Counts],
) -> None:
    moved = [(m, first[m], now) for m, now in sorted(counts.items()) if first[m] != now]
    none = (0, 0)
    added = [(repository_id, m, *now) for m, was, now in moved if was == none]
    changed = [(m, now) for m, was, now in moved if none not in (was, now)]
    _NEW.add(connection, added)
    _CHANGED.set(connection, [(repository_id, m, *now) for m, now in changed])
    _GONE.remove(connection, [(repository_id, m) for m, _, now in moved if now == none])


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
