"""Which repositories a slimmer base would save most: of `repository_savings`, counted
every minute or so.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, bindparam, func, select, tuple_

from weighbridge.domain.base.savings import patch_of
from weighbridge.domain.base.variants import caution_of
from weighbridge.domain.message.grouping import SlimmerBase
from weighbridge.domain.report.repository_saving import RepositorySaving, SavingReport
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.ledger.expressions import exact_sum, sum_of
from weighbridge.store.models import (
    base_savings,
    image_bases,
    registries,
    repositories,
    repository_savings,
    repository_summaries,
)
from weighbridge.store.models.types import LARGEST, bounded
from weighbridge.store.named_rows import NAMES, from_row

_saves = repository_savings.c
_summary = repository_summaries.c
_best = base_savings.c
_PIECE: Final = 1_000
_IS_AFTER: Final = tuple_(_saves.saved_bytes, _saves.repository_id) < tuple_(
    bindparam("saved", type_=BigInteger), bindparam("id", type_=BigInteger)
)
_KEYS: Final = (
    select(_saves.saved_bytes, _saves.repository_id)
    .where(_IS_AFTER)
    .order_by(_saves.saved_bytes.desc(), _saves.repository_id.desc())
    .limit(_PIECE)
)
_ROWS: Final = (
    select(
        *NAMES,
        _saves.repository_id,
        _summary.newest_tag,
        _summary.newest_platform,
        _summary.newest_compressed_bytes,
        _best.base,
        _best.base_bytes.label("base_compressed_bytes"),
        _best.kind,
        _best.variant,
        _best.variant_bytes.label("variant_compressed_bytes"),
        _best.saved_bytes,
    )
    .select_from(repository_savings)
    .join(
        repository_summaries,
        # Of what was counted, that which is still the newest.
        (_summary.repository_id == _saves.repository_id)
        & (_summary.newest_image_id == _saves.image_id),
    )
    .join(repositories, repositories.c.id == _saves.repository_id)
    .join(registries, registries.c.id == repositories.c.registry_id)
    .join(base_savings, _best.base_chain_id == _saves.base_chain_id)
    .where(among_ids(_saves.repository_id), _summary.registry_id.is_not(None))
)
_IS_OF: Final = _saves.registry_id == bindparam("registry_id", type_=BigInteger)
_TOTALS: Final = select(
    func.count().label("repositories"), *exact_sum(_saves.saved_bytes, "saved")
)
_REGISTRY: Final = select(registries.c.id).where(
    registries.c.name == bindparam("registry")
)
_OF_REGISTRIES: Final = (
    select(registries.c.name, *exact_sum(_saves.saved_bytes, "saved"))
    .join(registries, registries.c.id == _saves.registry_id)
    .group_by(registries.c.name)
)
_OF_IMAGES: Final = (
    select(image_bases.c.image_id, _best.base, _best.variant, _best.saved_bytes)
    .join(base_savings, _best.base_chain_id == image_bases.c.base_chain_id)
    .where(
        among_ids(image_bases.c.image_id),
        image_bases.c.relation == "base",
        image_bases.c.found_by != "history",
    )
)


def slimmer_bases(
    connection: Connection, image_ids: Collection[int]
) -> dict[int | None, SlimmerBase]:
    """What would save these images most; those of which it is not known are left
    out."""
    rows = connection.execute(_OF_IMAGES, {"ids": listed(sorted(image_ids))})
    return {number: SlimmerBase(*slimmer) for number, *slimmer in rows}


def registry_savings(connection: Connection) -> dict[str, int]:
    """The sum of each registry; those without a saving are left out."""
    rows = connection.execute(_OF_REGISTRIES)
    return {row.name: bounded(sum_of(row, "saved")) for row in rows}


def repositories_by_saving(
    connection: Connection, *, limit: int, registry: str | None = None
) -> SavingReport:
    """Of all repositories, or of a registry's."""
    keys, totals, of = _KEYS, _TOTALS, dict[str, int]()
    if registry is not None:
        found = connection.execute(_REGISTRY, {"registry": registry}).scalar()
        if found is None:
            return SavingReport((), 0, 0)
        keys, totals, of = (
            keys.where(_IS_OF),
            totals.where(_IS_OF),
            {"registry_id": found},
        )
    rows: list[RepositorySaving] = []
    after, is_end = (LARGEST, LARGEST), False
    while len(rows) < limit and not is_end:
        place = {"saved": after[0], "id": after[1]}
        piece = connection.execute(keys, of | place).all()
        is_end = len(piece) < _PIECE
        rows += _rows(
            connection, [row.repository_id for row in piece], limit - len(rows)
        )
        after = tuple(piece[-1]) if piece else after
    total = connection.execute(totals, of).one()
    rows.sort(key=lambda row: (-row.saved_bytes, row.registry, row.repository))
    return SavingReport(tuple(rows), total.repositories, sum_of(total, "saved"))


def _rows(
    connection: Connection, ids: Sequence[int], most: int
) -> list[RepositorySaving]:
    """The first so many of these repositories, in their order; those whose newest image
    is another by now are left out."""
    found: dict[int, RepositorySaving] = {}
    step = max(most, 1)
    for start in range(0, len(ids), step):
        some = {"ids": listed(ids[start : start + step])}
        found |= {
            row.repository_id: _row(row) for row in connection.execute(_ROWS, some)
        }
        if len(found) >= most:
            break
    return [found[number] for number in ids if number in found][:most]


def _row(row: Row[*tuple[Any, ...]]) -> RepositorySaving:
    return from_row(
        RepositorySaving,
        row._mapping,
        patch=patch_of(row.base, row.variant),
        caution=caution_of(row.kind, row.base),
    )
