"""Referenced bytes: what each tag leads to, counted once for each tag.

The sum changes by what tags come to and leave, which costs nothing in a repository of
many thousand tags. Where something else changed (facts that came late, a blob's size),
it is counted from scratch: see `counts.mark_uncounted`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, literal, select

from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.facts.stored_images import load_graphs
from weighbridge.store.ledger.scopes import LedgerPlace
from weighbridge.store.models import repository_manifests

_PIECE: Final = 2_000
"""Targets that are in memory at once, with their children."""
_table = repository_manifests.c
_TARGETS = select(_table.repository_id, _table.manifest_id, _table.tag_count).where(
    _table.tag_count > 0
)
_OF_SOME: Final = Rows(
    _TARGETS.where(among_ids(_table.repository_id)).limit(literal(_PIECE))
)
_OF_ONE: Final = Rows(
    _TARGETS.where(
        _table.repository_id == bindparam("repository"),
        _table.manifest_id > bindparam("after"),
    )
    .order_by(_table.manifest_id)
    .limit(literal(_PIECE))
)


def referenced_deltas(
    connection: Connection, tag_deltas: Mapping[LedgerPlace, Mapping[int, int]]
) -> dict[LedgerPlace, int]:
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
    """The sums of repositories, counted from what their tags lead to.

    scopes: the storage scope of each repository
    """
    sums = dict.fromkeys(scopes, 0)
    for rows in _pieces(connection, scopes):
        counts: dict[LedgerPlace, dict[int, int]] = {}
        for number, target, count in rows:
            counts.setdefault(LedgerPlace(number, scopes[number]), {})[target] = count
        for place, size in _sums(connection, counts).items():
            sums[place.repository_id] += size
    return sums


def _pieces(
    connection: Connection, repository_ids: Collection[int]
) -> Iterator[Sequence[tuple[int, int, int]]]:
    """Repositories with their targets, and how many tags lead to each."""
    if not repository_ids:
        return
    some = _OF_SOME.read(connection, {"ids": listed(sorted(repository_ids))})
    if len(some) < _PIECE:
        yield some
        return
    for number in repository_ids:
        after, is_whole = 0, False
        while not is_whole:
            rows = _OF_ONE.read(connection, {"repository": number, "after": after})
            is_whole = len(rows) < _PIECE
            if rows:
                after = rows[-1][1]
                yield rows


def _sums(
    connection: Connection, counts: Mapping[LedgerPlace, Mapping[int, int]]
) -> dict[LedgerPlace, int]:
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
