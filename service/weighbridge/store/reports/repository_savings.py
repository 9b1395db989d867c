"""Which repositories a slimmer base would save most."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, Row, and_, bindparam, func, or_, select

from weighbridge.domain.base.names import BaseName, choose_names
from weighbridge.domain.base.savings import Saving, saving_of
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.domain.report.repository_saving import RepositorySaving, SavingReport
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import (
    base_chains,
    image_bases,
    registries,
    repositories,
    repository_summaries,
)
from weighbridge.store.named_rows import NAMES
from weighbridge.store.reports.savings import NamedBase, VariantFinder, names_of_bases

_on = image_bases.c
_summary = repository_summaries.c
_chain = base_chains.c
_STANDING: Final = repository_summaries.join(
    image_bases, _on.image_id == _summary.newest_image_id
)
_IS_MEANT: Final = and_(
    _on.relation == "base",
    _on.base_chain_id.is_not(None),
    _summary.registry_id.is_not(None),
    or_(
        bindparam("registry", type_=registries.c.name.type).is_(None),
        _summary.registry_id
        == select(registries.c.id)
        .where(registries.c.name == bindparam("registry"))
        .scalar_subquery(),
    ),
)
_BASES: Final = (
    select(
        _on.base_chain_id,
        func.count().label("repositories"),
        func.min(_chain.compressed_bytes).label("compressed_bytes"),
        func.min(_chain.layer_count).label("layer_count"),
    )
    .select_from(_STANDING.join(base_chains, _chain.id == _on.base_chain_id))
    .where(_IS_MEANT)
    .group_by(_on.base_chain_id)
)
_ROWS: Final = (
    select(
        *NAMES,
        _on.base_chain_id,
        _summary.newest_tag,
        _summary.newest_platform,
        _summary.newest_compressed_bytes,
    )
    .select_from(
        _STANDING.join(repositories, repositories.c.id == _summary.repository_id).join(
            registries, registries.c.id == repositories.c.registry_id
        )
    )
    .where(_IS_MEANT, among_ids(_on.base_chain_id))
    .order_by(registries.c.name, repositories.c.name)
    .limit(bindparam("limit"))
)


class _Best(NamedTuple):
    """The saving of one base, and of how many repositories' newest images it is one."""

    saving: Saving
    repositories: int


def repository_savings(
    connection: Connection, now: datetime, *, limit: int, registry: str | None = None
) -> SavingReport:
    """Of all repositories, or of a registry's."""
    best = _best_savings(connection, now, registry)
    in_order = sorted(best, key=lambda chain: (-best[chain].saving.saved_bytes, chain))
    rows: list[RepositorySaving] = []
    for chain in in_order:
        if len(rows) >= limit:
            break
        parameters = {
            "registry": registry,
            "ids": listed([chain]),
            "limit": limit - len(rows),
        }
        found = connection.execute(_ROWS, parameters)
        rows += [_row(row, best[chain].saving) for row in found]
    return SavingReport(
        tuple(rows),
        sum(each.repositories for each in best.values()),
        sum(each.repositories * each.saving.saved_bytes for each in best.values()),
    )


def _best_savings(
    connection: Connection, now: datetime, registry: str | None
) -> dict[int, _Best]:
    """By base, where a variant saves anything."""
    standing = connection.execute(_BASES, {"registry": registry}).all()
    names = names_of_bases(connection, [row.base_chain_id for row in standing])
    variants = VariantFinder(connection)
    found = {}
    for row in standing:
        chain = row.base_chain_id
        base = _base(row, names, now)
        if base is None:
            continue
        savings = [
            saving
            for each in variants.of_base(chain, base.reference, names[chain])
            if (saving := saving_of(base, each.variant, each.of)) is not None
        ]
        if savings:
            most = max(savings, key=lambda s: (s.saved_bytes, s.variant.reference))
            found[chain] = _Best(most, row.repositories)
    return found


def _base(
    row: Row[*tuple[object, ...]], names: Mapping[int, list[NamedBase]], now: datetime
) -> ImageBase | None:
    """The base as it is for each image on it; None: it has no name."""
    chosen = choose_names(_base_names(names.get(row.base_chain_id, [])), now)
    if chosen is None:
        return None
    return ImageBase(
        reference=chosen[0],
        also=chosen[1],
        layers=row.layer_count,
        compressed_bytes=row.compressed_bytes,
        share=None,
        relation="base",
        found_by="layers",
    )


def _base_names(names: list[NamedBase]) -> Iterator[BaseName]:
    for name in names:
        yield BaseName(
            name.host, name.repository, name.tag, name.first_seen_at, name.left_at
        )


def _row(row: Row[*tuple[object, ...]], saving: Saving) -> RepositorySaving:
    return RepositorySaving(
        registry=row.registry,
        repository=row.repository,
        newest_tag=row.newest_tag,
        newest_platform=row.newest_platform,
        newest_compressed_bytes=row.newest_compressed_bytes,
        base=saving.base,
        base_compressed_bytes=saving.base_bytes,
        kind=saving.variant.kind,
        variant=saving.variant.reference,
        variant_compressed_bytes=saving.variant.compressed_bytes,
        saved_bytes=saving.saved_bytes,
        patch=saving.patch,
        caution=saving.caution,
    )
