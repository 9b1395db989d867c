"""What slimmer variants of bases would save, by the bytes of their manifests."""

from collections.abc import Collection, Mapping
from typing import Final

from msgspec.structs import replace
from sqlalchemy import BigInteger, Connection, bindparam, func, select

from weighbridge.domain.base.savings import FleetSaving, Saving, saving_of
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.store.bases.fleet_savings import IS_ON, fleet_savings
from weighbridge.store.bases.variant_finder import VariantFinder, names_of_bases
from weighbridge.store.models import image_bases

FLEET_AT_MOST: Final = 5_000
"""Images on a base beyond which it is not counted for each question what all of them
would save in storage."""

_on = image_bases.c
_HOW_MANY: Final = select(func.count()).select_from(
    select(_on.image_id)
    .where(_on.base_chain_id == bindparam("chain", type_=BigInteger), IS_ON)
    .limit(FLEET_AT_MOST + 1)
    .subquery()
)


def find_savings(
    connection: Connection,
    bases: Mapping[int, ImageBase],
    in_part: Collection[str] = (),
) -> dict[int, list[Saving]]:
    """What the variants of each base save an image on it and all images, most first.

    bases:   by their ids, as an image stands on them
    in_part: the registries of which tags are left out: what storage there would save is
             not known
    """
    names = names_of_bases(connection, bases)
    variants = VariantFinder(connection)
    found: dict[int, list[Saving]] = {}
    for chain, base in bases.items():
        savings = [
            (each.chain, saving)
            for each in variants.of_base(chain, base.reference, names.get(chain, ()))
            if (saving := saving_of(base, each.variant, each.of)) is not None
        ]
        fleet = _fleet_savings(
            connection, chain, [variant for variant, _ in savings], in_part
        )
        found[chain] = sorted(
            (replace(saving, fleet=fleet.get(variant)) for variant, saving in savings),
            key=lambda saving: (-saving.saved_bytes, saving.variant.reference),
        )
    return found


def _fleet_savings(
    connection: Connection,
    chain: int,
    variants: Collection[int],
    in_part: Collection[str],
) -> Mapping[int, FleetSaving]:
    """What all images on a base would save on each of these variants. Nothing of a base
    with too many of them to be counted at once."""
    if not variants:
        return {}
    if connection.execute(_HOW_MANY, {"chain": chain}).scalar_one() > FLEET_AT_MOST:
        return {}
    fleets = {variant: {chain: variant} for variant in variants}
    return fleet_savings(connection, fleets, in_part)
