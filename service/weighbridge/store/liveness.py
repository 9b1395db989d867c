"""Which manifests are live in a repository: counts, kept right by deltas.

A manifest is live while a tag of the repository names it or a live index lists it.
`repository_manifests` has a row for exactly the live ones, with both counts.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final, TypeAlias

from sqlalchemy import Connection, bindparam, delete, select, update

from weighbridge.domain.digest import Digest
from weighbridge.store.dialect import NewRows, among_ids, listed
from weighbridge.store.models import (
    blobs,
    images,
    index_members,
    repository_manifests,
    repository_summaries,
)

Counts: TypeAlias = tuple[int, int]
"""How many tags name a manifest, how many live indexes list it (each once)."""

_table = repository_manifests.c
_THIS: Final = (
    _table.repository_id == bindparam("repository"),
    _table.manifest_id == bindparam("manifest"),
)
_READ: Final = select(_table.manifest_id, _table.tag_count, _table.index_count).where(
    _table.repository_id == bindparam("repository"), among_ids(_table.manifest_id)
)
_NEW: Final = NewRows(
    repository_manifests, "repository_id", "manifest_id", "tag_count", "index_count"
)
_CHANGE: Final = (
    update(repository_manifests)
    .where(*_THIS)
    .values(tag_count=bindparam("tags"), index_count=bindparam("indexes"))
)
_REMOVE: Final = delete(repository_manifests).where(*_THIS)
_CHILDREN: Final = (
    select(index_members.c.index_id, index_members.c.child_id)
    .where(among_ids(index_members.c.index_id))
    .distinct()
)
_LACKING: Final = (
    select(index_members.c.index_id)
    .join(blobs, blobs.c.id == index_members.c.child_id)
    .where(among_ids(index_members.c.index_id), blobs.c.facts_state == "missing")
    .distinct()
)
_MISSING: Final = (
    select(blobs.c.digest, blobs.c.facts_code)
    .join_from(repository_manifests, blobs, blobs.c.id == _table.manifest_id)
    .where(
        _table.repository_id == bindparam("repository"),
        blobs.c.facts_state == "missing",
    )
    .order_by(blobs.c.id)
    .limit(bindparam("most"))
)
_HOLDERS: Final = select(_table.manifest_id, _table.repository_id).where(
    among_ids(_table.manifest_id)
)
_IMAGES: Final = select(images.c.id).where(among_ids(images.c.id))
_summary = repository_summaries.c
_COUNT: Final = (
    update(repository_summaries)
    .where(_summary.repository_id == bindparam("repository"))
    .values(
        tag_count=_summary.tag_count + bindparam("tags"),
        image_count=_summary.image_count + bindparam("images"),
        revision=_summary.revision + 1,
    )
)
_MARK: Final = (
    update(repository_summaries)
    .where(
        _summary.repository_id == bindparam("repository"), _summary.is_stale.is_(False)
    )
    .values(is_stale=True)
)


def shift(
    connection: Connection, repository_id: int, tag_deltas: Mapping[int, int]
) -> int:
    """Count that this many more (or fewer) tags name these manifests.

    Returns by how much the number of live images changed.
    """
    wave = {manifest: (delta, 0) for manifest, delta in tag_deltas.items() if delta}
    return _run(connection, repository_id, wave)


def count_late(connection: Connection, manifests: Collection[int]) -> None:
    """Count what manifests lead to whose facts came after they were counted.

    Their children enter each repository where they are live, and its images grow.
    """
    if not manifests:
        return
    held_by: dict[int, list[int]] = {}
    rows = connection.execute(_HOLDERS, {"ids": listed(manifests)})
    for manifest, repository in rows:
        held_by.setdefault(repository, []).append(manifest)
    for repository, held in sorted(held_by.items()):
        arrived = dict.fromkeys(held, 1)
        gained = _run(connection, repository, _children(connection, arrived))
        gained += _count_images(connection, arrived)
        add_counts(connection, repository, tag_delta=0, image_delta=gained)
        mark_stale(connection, repository)


def add_counts(
    connection: Connection,
    repository_id: int,
    *,
    tag_delta: int,
    image_delta: int,
) -> None:
    """Add to the repository's row of the read model; no row is written for zero."""
    if tag_delta or image_delta:
        connection.execute(
            _COUNT,
            {
                "repository": repository_id,
                "tags": tag_delta,
                "images": image_delta,
            },
        )


def mark_stale(connection: Connection, repository_id: int) -> None:
    """Note that the repository's row of the read model is to be made anew."""
    connection.execute(_MARK, {"repository": repository_id})


def _run(connection: Connection, repository_id: int, wave: dict[int, Counts]) -> int:
    """Waves down the indexes: one round of queries for each level, ids in Python.

    A recursive statement would be shorter, and fifty times slower where a planner
    misjudges it.
    """
    first: dict[int, Counts] = {}
    counts: dict[int, Counts] = {}
    net: Counter[int] = Counter()
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
        wave = _children(connection, flips)
    _write(connection, repository_id, first, counts)
    return _count_images(connection, {m: flip for m, flip in net.items() if flip})


def _read(
    connection: Connection, repository_id: int, manifests: list[int]
) -> dict[int, Counts]:
    found: dict[int, Counts] = dict.fromkeys(manifests, (0, 0))
    parameters = {"repository": repository_id, "ids": listed(manifests)}
    for manifest, tags, indexes in connection.execute(_READ, parameters):
        found[manifest] = (tags, indexes)
    return found


def _children(connection: Connection, flips: Mapping[int, int]) -> dict[int, Counts]:
    if not flips:
        return {}
    deltas: Counter[int] = Counter()
    for index, child in connection.execute(_CHILDREN, {"ids": listed(flips)}):
        deltas[child] += flips[index]
    return {child: (0, delta) for child, delta in deltas.items() if delta}


def _count_images(connection: Connection, net: Mapping[int, int]) -> int:
    if not net:
        return 0
    return sum(net[row.id] for row in connection.execute(_IMAGES, {"ids": listed(net)}))


def _write(
    connection: Connection,
    repository_id: int,
    first: Mapping[int, Counts],
    counts: Mapping[int, Counts],
) -> None:
    added, changed, removed = [], [], []
    for manifest, now in sorted(counts.items()):
        was = first[manifest]
        if was == now:
            continue
        if was == (0, 0):
            added.append((repository_id, manifest, *now))
        elif now == (0, 0):
            removed.append({"repository": repository_id, "manifest": manifest})
        else:
            changed.append(
                {
                    "repository": repository_id,
                    "manifest": manifest,
                    "tags": now[0],
                    "indexes": now[1],
                }
            )
    _NEW.add(connection, added)
    for statement, rows in ((_CHANGE, changed), (_REMOVE, removed)):
        if rows:
            connection.execute(statement, rows)


def find_lacking(connection: Connection, index_ids: Collection[int]) -> set[int]:
    """Those indexes of which a child could not be read."""
    if not index_ids:
        return set()
    rows = connection.execute(_LACKING, {"ids": listed(index_ids)})
    return set(rows.scalars())


def missing_manifests(
    connection: Connection, repository_id: int, most: int
) -> dict[Digest, str]:
    """Live manifests of a repository that could not be read, with the code that says
    why; at most so many."""
    rows = connection.execute(_MISSING, {"repository": repository_id, "most": most})
    return {row.digest: row.facts_code for row in rows}
