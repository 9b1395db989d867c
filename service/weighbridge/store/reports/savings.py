"""What slimmer variants of bases would save, by the bytes of their manifests."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace
from sqlalchemy import (
    BigInteger,
    Connection,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)

from weighbridge.domain.base.savings import (
    FleetSaving,
    Saving,
    ScopedLayer,
    saving_of,
    stored_saving,
)
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.store.bases.variant_finder import VariantFinder, names_of_bases
from weighbridge.store.dialect import among_ids, among_texts, listed
from weighbridge.store.ledger.expressions import STORED_BYTES, sized
from weighbridge.store.ledger.scopes import parts_by_scope
from weighbridge.store.models import (
    base_chains,
    blobs,
    image_bases,
    layers,
    registries,
    repositories,
    repository_blobs,
    repository_manifests,
)

FLEET_AT_MOST: Final = 5_000
"""Images on a base beyond which it is not counted for each question what all of them
would save in storage."""

_chain = base_chains.c
_on = image_bases.c
_live = repository_manifests.c
_held = repository_blobs.c


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


# An image that was found by its lines has other layers.
_IS_ON: Final = and_(
    _on.base_chain_id == bindparam("chain", type_=BigInteger),
    _on.relation == "base",
    _on.found_by != "history",
)
_HOW_MANY: Final = select(func.count()).select_from(
    select(_on.image_id).where(_IS_ON).limit(FLEET_AT_MOST + 1).subquery()
)
_FLEET: Final = image_bases.join(
    repository_manifests, _live.manifest_id == _on.image_id
).join(repositories, repositories.c.id == _live.repository_id)
# What holds others of its layers may not have been seen, or be left out.
_IN_PART: Final = or_(
    repositories.c.state.in_(("new", "partial")),
    repositories.c.held.is_not(None),
    among_texts(registries.c.name),
)
_BY_SCOPE: Final = (
    select(
        repositories.c.scope_id,
        func.max(case((_IN_PART, 1), else_=0)).label("is_in_part"),
        func.count().label("on_base"),
        func.count(_on.image_id.distinct()).label("images"),
        func.count(_live.repository_id.distinct()).label("repositories"),
    )
    .select_from(_FLEET.join(registries, registries.c.id == repositories.c.registry_id))
    .where(_IS_ON)
    .group_by(repositories.c.scope_id)
)
_IMAGES: Final = (
    select(func.count(_on.image_id.distinct())).select_from(_FLEET).where(_IS_ON)
)
_LAYERS: Final = (
    select(_chain.id, layers.c.blob_id)
    .join(layers, layers.c.image_id == _chain.image_id)
    .where(among_ids(_chain.id), ~layers.c.is_foreign)
)
_USERS: Final = (
    select(_held.blob_id, func.sum(_held.manifest_count).label("users"))
    .where(
        among_ids(_held.scope_id, "scopes"),
        among_ids(_held.blob_id, "blobs"),
    )
    .group_by(_held.blob_id)
)
_SIZES: Final = (
    select(blobs.c.id, STORED_BYTES.label("stored_bytes"))
    .select_from(sized(blobs, bindparam("scope", type_=BigInteger)))
    .where(among_ids(blobs.c.id))
)


class _Fleet(NamedTuple):
    """All images on a base.

    on_base:   how many live ones a scope holds, each once a repository
    is_whole:  whether all that their repositories have was seen
    """

    images: int
    repositories: int
    on_base: Mapping[int, int]
    is_whole: bool


def _fleet_savings(
    connection: Connection,
    chain: int,
    variants: Collection[int],
    in_part: Collection[str],
) -> dict[int, FleetSaving]:
    """What all images on a base would save on each of these variants. Nothing of a base
    with too many of them to be counted at once."""
    if not variants:
        return {}
    if connection.execute(_HOW_MANY, {"chain": chain}).scalar_one() > FLEET_AT_MOST:
        return {}
    fleet = _fleet_of(connection, chain, in_part)
    of_chain: dict[int, set[int]] = {}
    ids = listed(sorted({chain, *variants}))
    for number, blob in connection.execute(_LAYERS, {"ids": ids}):
        of_chain.setdefault(number, set()).add(blob)
    stored = _stored_savings(connection, fleet, chain, variants, of_chain)
    return {
        variant: FleetSaving(fleet.images, fleet.repositories, stored.get(variant))
        for variant in variants
    }


def _fleet_of(connection: Connection, chain: int, in_part: Collection[str]) -> _Fleet:
    parameters = {"chain": chain, "names": listed(sorted(in_part))}
    scopes = connection.execute(_BY_SCOPE, parameters).all()
    images = sum(row.images for row in scopes)
    if len(scopes) > 1:
        # What several scopes hold is one image.
        images = connection.execute(_IMAGES, {"chain": chain}).scalar_one()
    return _Fleet(
        images,
        sum(row.repositories for row in scopes),
        {row.scope_id: row.on_base for row in scopes},
        is_whole=not any(row.is_in_part for row in scopes),
    )


def _stored_savings(
    connection: Connection,
    fleet: _Fleet,
    chain: int,
    variants: Collection[int],
    of_chain: Mapping[int, Collection[int]],
) -> dict[int, int]:
    """Over all scopes, for each variant whose layers are known, as those of the base
    are; both may have been pruned."""
    if chain not in of_chain or not fleet.is_whole:
        return {}
    saved = {variant: 0 for variant in variants if variant in of_chain}
    parts = parts_by_scope(connection, fleet.on_base)
    for scope in sorted({tuple(each) for each in parts.values()}):
        every = _scoped_layers(connection, fleet, scope, of_chain)
        base = [every[blob] for blob in of_chain[chain]]
        for variant in saved:
            new = [every[blob] for blob in of_chain[variant]]
            saved[variant] += stored_saving(base, new)
    return {variant: max(0, stored) for variant, stored in saved.items()}


def _scoped_layers(
    connection: Connection,
    fleet: _Fleet,
    scope: Sequence[int],
    of_chain: Mapping[int, Collection[int]],
) -> dict[int, ScopedLayer]:
    """All these layers as one scope, given by its parts, has them."""
    wanted = listed(sorted(set().union(*of_chain.values())))
    users = {
        row.blob_id: int(row.users)
        for row in connection.execute(
            _USERS, {"scopes": listed(scope), "blobs": wanted}
        )
    }
    on_base = sum(fleet.on_base.get(part, 0) for part in scope)
    asked = next(part for part in scope if fleet.on_base.get(part))
    return {
        row.id: ScopedLayer(row.id, row.stored_bytes, users.get(row.id, 0), on_base)
        for row in connection.execute(_SIZES, {"scope": asked, "ids": wanted})
    }
