"""Referenced bytes: what each tag leads to, counted once for each tag.

The sum changes by what tags come to and leave, which costs nothing in a repository of
many thousand tags. Where something else changed (facts that came late, a blob's size),
it is counted from scratch: see `counts.mark_uncounted`.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.ledger.counts import is_counted
from weighbridge.store.models import repositories, tags
from weighbridge.store.reach import load_graph

_PIECE: Final = 2_000
"""Targets whose children are in memory at once."""
_TARGETS: Final = Rows(
    select(tags.c.repository_id, tags.c.target_id, func.count().label("tags"))
    .where(
        among_ids(tags.c.repository_id),
        tags.c.gone_at.is_(None),
        tags.c.target_id.is_not(None),
    )
    .group_by(tags.c.repository_id, tags.c.target_id)
)
_SCOPE_OF: Final = select(repositories.c.scope_id).where(
    repositories.c.id == bindparam("repository")
)


def referenced_delta(
    connection: Connection, repository_id: int, tag_deltas: Mapping[int, int]
) -> int:
    """By how many bytes a repository's sum grows when this many more (or fewer) tags
    lead to these targets; 0 where it is counted from scratch in any case.

    After `liveness.shift`: what these lead to then stays as it is until we commit.
    """
    moved = {target: delta for target, delta in tag_deltas.items() if delta}
    if not moved or not is_counted(connection, repository_id):
        return 0
    return _sum(connection, repository_id, moved)


def count_referenced(
    connection: Connection, scopes: Mapping[int, int]
) -> dict[int, int]:
    """The sums of repositories, counted from their tags.

    scopes: the storage scope of each repository
    """
    sums = dict.fromkeys(scopes, 0)
    if not sums:
        return sums
    led: dict[int, dict[int, list[tuple[int, int]]]] = {}
    for number, target, count in _TARGETS.read(
        connection, {"ids": listed(sorted(sums))}
    ):
        of_scope = led.setdefault(scopes[number], {})
        of_scope.setdefault(target, []).append((number, count))
    for scope_id, of_scope in led.items():
        for target, stored_bytes in _stored_bytes(connection, scope_id, of_scope):
            for number, count in of_scope[target]:
                sums[number] += count * stored_bytes
    return sums


def _sum(connection: Connection, repository_id: int, counts: Mapping[int, int]) -> int:
    parameters = {"repository": repository_id}
    scope_id: int = connection.execute(_SCOPE_OF, parameters).scalar_one()
    found = _stored_bytes(connection, scope_id, counts)
    return sum(counts[target] * stored_bytes for target, stored_bytes in found)


def _stored_bytes(
    connection: Connection, scope_id: int, targets: Collection[int]
) -> Iterator[tuple[int, int]]:
    """What each of these occupies with all below it."""
    ordered = sorted(targets)
    for start in range(0, len(ordered), _PIECE):
        piece = ordered[start : start + _PIECE]
        graph = load_graph(connection, piece, scope_id)
        yield from ((each, graph.stored_bytes_of(each)) for each in piece)
