"""Referenced bytes: what each tag leads to, counted once for each tag.

The sum changes by what tags come to and leave, which costs nothing in a repository of
many thousand tags. Where something else changed (facts that came late, a blob's size),
it is counted from scratch: see `counts.mark_uncounted`.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from weighbridge.store.dialect import Rows
from weighbridge.store.ledger.counts import is_counted
from weighbridge.store.models import repositories, tags
from weighbridge.store.reach import load_graph

_PIECE: Final = 2_000
"""Targets whose children are in memory at once."""
_TARGETS: Final = Rows(
    select(tags.c.target_id, func.count().label("tags"))
    .where(
        tags.c.repository_id == bindparam("repository"),
        tags.c.gone_at.is_(None),
        tags.c.target_id.is_not(None),
    )
    .group_by(tags.c.target_id)
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


def count_referenced(connection: Connection, repository_id: int) -> int:
    """A repository's sum, counted from its tags."""
    rows = _TARGETS.read(connection, {"repository": repository_id})
    counts = {target: count for target, count in rows if target is not None}
    return _sum(connection, repository_id, counts)


def _sum(connection: Connection, repository_id: int, counts: Mapping[int, int]) -> int:
    parameters = {"repository": repository_id}
    scope_id: int = connection.execute(_SCOPE_OF, parameters).scalar_one()
    targets = sorted(counts)
    total = 0
    for start in range(0, len(targets), _PIECE):
        piece = targets[start : start + _PIECE]
        graph = load_graph(connection, piece, scope_id)
        total += sum(counts[each] * graph.stored_bytes_of(each) for each in piece)
    return total
