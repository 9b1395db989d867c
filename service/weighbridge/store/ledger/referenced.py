"""Referenced bytes: what each tag leads to, counted once for each tag.

The sum changes by what tags come to and leave, which costs nothing in a repository of
many thousand tags. Where something else changed (facts that came late, a blob's size),
it is counted from scratch: see `counts.mark_uncounted`.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, func, select

from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.ledger.places import Place
from weighbridge.store.models import tags
from weighbridge.store.reach import load_graphs

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


def referenced_deltas(
    connection: Connection, tag_deltas: Mapping[Place, Mapping[int, int]]
) -> dict[Place, int]:
    """By how many bytes the sum of each repository grows when this many more (or
    fewer) tags lead to these targets.

    After `liveness.shift`: what these lead to then stays as it is until we commit.
    """
    return _sums(
        connection,
        {
            place: {target: delta for target, delta in deltas.items() if delta}
            for place, deltas in tag_deltas.items()
        },
    )


def count_referenced(
    connection: Connection, scopes: Mapping[int, int]
) -> dict[int, int]:
    """The sums of repositories, counted from their tags.

    scopes: the storage scope of each repository
    """
    counts: dict[Place, dict[int, int]] = {Place(*pair): {} for pair in scopes.items()}
    parameters = {"ids": listed(sorted(scopes))}
    rows = _TARGETS.read(connection, parameters) if scopes else ()
    for number, target, count in rows:
        counts[Place(number, scopes[number])][target] = count
    sums = _sums(connection, counts)
    return {place.repository_id: total for place, total in sums.items()}


def _sums(
    connection: Connection, counts: Mapping[Place, Mapping[int, int]]
) -> dict[Place, int]:
    sums = dict.fromkeys(counts, 0)
    leading = sorted((place, target) for place in counts for target in counts[place])
    for start in range(0, len(leading), _PIECE):
        piece = leading[start : start + _PIECE]
        targets: dict[int, set[int]] = {}
        for place, target in piece:
            targets.setdefault(place.scope_id, set()).add(target)
        graphs = load_graphs(connection, targets)
        for place, target in piece:
            size = graphs[place.scope_id].stored_bytes_of(target)
            sums[place] += counts[place][target] * size
    return sums
