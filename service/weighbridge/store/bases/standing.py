"""What images stand on, as limits are held against it: only where it is certain."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from weighbridge.domain.base.names import BaseName, choose_names
from weighbridge.domain.base.told_bases import ToldBase
from weighbridge.domain.policy.base_limits import BaseTag, CertainBase, certain_base
from weighbridge.store.dialect import among_bytes, among_ids, listed
from weighbridge.store.models import base_chains, base_names, image_bases

_of = image_bases.c
_name = base_names.c
# What the lines of a history say is the word of whoever pushed the image.
_CHAINS: Final = select(_of.image_id, _of.base_chain_id).where(
    among_ids(_of.image_id),
    _of.relation == "base",
    _of.found_by.in_(("layers", "annotation")),
    _of.base_chain_id.is_not(None),
)
_chain = base_chains.c
_WITH_LAYERS: Final = (
    select(
        _chain.id,
        _chain.chain,
        _chain.layer_count,
        _chain.history,
        _chain.line_count,
    )
    .where(among_bytes(_chain.chain))
    .order_by(_chain.id)
)
_NAMES: Final = select(
    _name.base_chain_id,
    _name.host,
    _name.repository,
    _name.tag,
    _name.first_seen_at,
    _name.left_at,
).where(among_ids(_name.base_chain_id))


def certain_bases(
    connection: Connection, image_ids: Collection[int], now: datetime
) -> dict[int, CertainBase]:
    """What these images stand on, where their layers show it: two statements for any
    number of images."""
    if not image_ids:
        return {}
    parameters = {"ids": listed(sorted(image_ids))}
    chains = {row[0]: row[1] for row in connection.execute(_CHAINS, parameters)}
    bases = bases_of_chains(connection, set(chains.values()), now)
    return {image: bases[chain] for image, chain in chains.items() if chain in bases}


def bases_with_layers(
    connection: Connection, chains: Collection[bytes], now: datetime
) -> list[ToldBase]:
    """The bases of these lists of layers, as far as they have a name."""
    rows = connection.execute(_WITH_LAYERS, {"hashes": listed(sorted(chains))}).all()
    names = bases_of_chains(connection, {row.id for row in rows}, now)
    return [
        ToldBase(
            row.chain.hex(),
            row.layer_count,
            (row.history or b"").hex(),
            row.line_count,
            names[row.id].references,
            names[row.id].replaced_for_s,
        )
        for row in rows
        if row.id in names
    ]


def bases_of_chains(
    connection: Connection, chain_ids: Collection[int], now: datetime
) -> dict[int, CertainBase]:
    """What these chains are called, and how long ago each was replaced."""
    names: dict[int, list[BaseName]] = {}
    parameters = {"ids": listed(sorted(chain_ids))}
    for row in connection.execute(_NAMES, parameters):
        names.setdefault(row.base_chain_id, []).append(BaseName(*row[1:]))
    found = ((chain, _certain(some, now)) for chain, some in names.items())
    return {chain: base for chain, base in found if base is not None}


def _certain(names: Iterable[BaseName], now: datetime) -> CertainBase | None:
    some = list(names)
    chosen = choose_names(some, now)
    if chosen is None:
        return None
    tags = [BaseTag(name.reference, name.left_at) for name in some]
    return certain_base(chosen[0], tags, now)
