"""Which repositories a slimmer base would save most: of `repository_savings`, counted
every minute or so.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, bindparam, func, or_, select

from weighbridge.domain.base.savings import patch_of
from weighbridge.domain.base.variants import caution_of
from weighbridge.domain.report.repository_saving import RepositorySaving, SavingReport
from weighbridge.store.ledger.expressions import exact_sum, sum_of
from weighbridge.store.models import (
    base_savings,
    registries,
    repositories,
    repository_savings,
    repository_summaries,
)
from weighbridge.store.models.types import bounded
from weighbridge.store.named_rows import NAMES, from_row

_saves = repository_savings.c
_summary = repository_summaries.c
_best = base_savings.c
_OF_REGISTRY: Final = or_(
    bindparam("registry_id", type_=BigInteger).is_(None),
    _saves.registry_id == bindparam("registry_id", type_=BigInteger),
)
_FIRST: Final = (
    select(_saves.repository_id, _saves.base_chain_id)
    .join(
        repository_summaries,
        # Of what was counted, that which is still the newest.
        (_summary.repository_id == _saves.repository_id)
        & (_summary.newest_image_id == _saves.image_id),
    )
    .where(_OF_REGISTRY, _summary.registry_id.is_not(None))
    .order_by(_saves.saved_bytes.desc(), _saves.repository_id.desc())
    .limit(bindparam("limit", type_=BigInteger))
    .subquery()
)
_ROWS: Final = (
    select(
        *NAMES,
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
    .select_from(_FIRST)
    .join(repository_summaries, _summary.repository_id == _FIRST.c.repository_id)
    .join(repositories, repositories.c.id == _FIRST.c.repository_id)
    .join(registries, registries.c.id == repositories.c.registry_id)
    .join(base_savings, _best.base_chain_id == _FIRST.c.base_chain_id)
    .order_by(_best.saved_bytes.desc(), registries.c.name, repositories.c.name)
)
_TOTALS: Final = select(
    func.count().label("repositories"), *exact_sum(_saves.saved_bytes, "saved")
).where(_OF_REGISTRY)
_REGISTRY: Final = select(registries.c.id).where(
    registries.c.name == bindparam("registry")
)
_OF_REGISTRIES: Final = (
    select(registries.c.name, *exact_sum(_saves.saved_bytes, "saved"))
    .join(registries, registries.c.id == _saves.registry_id)
    .group_by(registries.c.name)
)


def registry_savings(connection: Connection) -> dict[str, int]:
    """The sum of each registry; those without a saving are left out."""
    rows = connection.execute(_OF_REGISTRIES)
    return {row.name: bounded(sum_of(row, "saved")) for row in rows}


def repositories_by_saving(
    connection: Connection, *, limit: int, registry: str | None = None
) -> SavingReport:
    """Of all repositories, or of a registry's."""
    parameters: dict[str, int | None] = {"registry_id": None, "limit": limit}
    if registry is not None:
        found = connection.execute(_REGISTRY, {"registry": registry}).scalar()
        if found is None:
            return SavingReport((), 0, 0)
        parameters["registry_id"] = found
    totals = connection.execute(_TOTALS, parameters).one()
    rows = connection.execute(_ROWS, parameters)
    return SavingReport(
        tuple(map(_row, rows)), totals.repositories, sum_of(totals, "saved")
    )


def _row(row: Row[*tuple[Any, ...]]) -> RepositorySaving:
    return from_row(
        RepositorySaving,
        row._mapping,
        patch=patch_of(row.base, row.variant),
        caution=caution_of(row.kind, row.base),
    )
