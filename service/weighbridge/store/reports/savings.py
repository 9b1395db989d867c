"""What slimmer variants of bases would save: of the bases that were crawled, found by
their names, with the bytes of their manifests.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from msgspec.structs import replace
from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)

from weighbridge.domain.base.names import written
from weighbridge.domain.base.savings import (
    FleetSaving,
    Saving,
    ScopedLayer,
    StoredVariant,
    saving_of,
    stored_saving,
)
from weighbridge.domain.base.variants import (
    MARKS,
    best_variants,
    kind_of,
    tag_parts,
)
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.store.dialect import among_ids, among_texts, listed
from weighbridge.store.ledger.expressions import STORED_BYTES, sized
from weighbridge.store.ledger.scopes import parts_by_scope
from weighbridge.store.models import (
    base_chains,
    base_names,
    blobs,
    image_bases,
    layers,
    registries,
    repositories,
    repository_blobs,
    repository_manifests,
)
from weighbridge.store.models.types import UTF8

NAMES_AT_MOST: Final = 8
"""Names of one base that variants are looked for by."""
FLEET_AT_MOST: Final = 5_000
"""Images on a base beyond which it is not counted for each question what all of them
would save in storage."""

_name = base_names.c
_chain = base_chains.c
_on = image_bases.c
_live = repository_manifests.c
_held = repository_blobs.c
_NAMES: Final = (
    select(
        _name.base_chain_id,
        _name.host,
        _name.repository,
        _name.tag,
        _name.first_seen_at,
        _name.left_at,
        _chain.platform_id,
    )
    .join(base_chains, _chain.id == _name.base_chain_id)
    .where(among_ids(_name.base_chain_id))
    .order_by(_name.id)
)
_VARIANTS: Final = (
    select(
        _name.tag,
        _name.base_chain_id,
        _name.last_seen_at,
        _chain.compressed_bytes,
    )
    .join(base_chains, _chain.id == _name.base_chain_id)
    .where(
        _name.host == bindparam("host", type_=UTF8),
        _name.repository == bindparam("repository", type_=UTF8),
        or_(*(_name.tag.contains(mark) for mark in MARKS)),
        _name.left_at.is_(None),
        _chain.platform_id == bindparam("platform", type_=BigInteger),
    )
    .order_by(_name.id)
)


class NamedBase(NamedTuple):
    """A tag that leads to a base, or led there, with the platform of the base."""

    host: str
    repository: str
    tag: str
    first_seen_at: datetime
    left_at: datetime | None
    platform_id: int | None

    @property
    def reference(self) -> str:
        return written(self.host, self.repository, self.tag)


class FoundVariant(NamedTuple):
    """A variant, and the base that it is in the database.

    of: the name of the base that it is a variant of by its own
    """

    chain: int
    variant: StoredVariant
    of: str


def names_of_bases(
    connection: Connection, chains: Collection[int]
) -> dict[int, list[NamedBase]]:
    """All names of each of these bases; those without one are left out."""
    names: dict[int, list[NamedBase]] = {}
    for row in connection.execute(_NAMES, {"ids": listed(sorted(chains))}):
        names.setdefault(row.base_chain_id, []).append(NamedBase(*row[1:]))
    return names


_VariantRow: TypeAlias = Row[*tuple[object, ...]]
_ByCore: TypeAlias = Mapping[tuple[str, ...], Mapping[str, _VariantRow]]
"""The tags of a repository that may be variants of one, by what must be the same."""


class VariantFinder:
    """Finds variants by the names of bases; each repository is read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read: dict[tuple[str, str, int], _ByCore] = {}

    def of_base(
        self, chain: int, reference: str, names: Sequence[NamedBase]
    ) -> list[FoundVariant]:
        """The slimmer variants of a base, whether they are lighter or not. None of a
        base whose platform is not known.

        reference: the name by which the base is known. Others are looked for that lead
                   to it now, as far as the first has no variant of a kind
        """
        in_order = sorted(
            dict.fromkeys(names),
            key=lambda name: (
                name.reference != reference,
                name.left_at is not None,
                len(name.tag),
                name.reference,
            ),
        )
        found: dict[int, FoundVariant] = {}
        kinds: set[str] = set()
        for name in in_order[:NAMES_AT_MOST]:
            new = [
                each
                for each in self.of_name(name)
                if each.chain not in (chain, *found) and each.variant.kind not in kinds
            ]
            found |= {each.chain: each for each in new}
            kinds |= {each.variant.kind for each in new}
        return list(found.values())

    def of_name(self, name: NamedBase) -> Iterator[FoundVariant]:
        """Of the builds of one name for one platform."""
        if name.platform_id is None:
            return
        key = (name.host, name.repository, name.platform_id)
        if key not in self._read:
            self._read[key] = _by_core(self._connection, *key)
        rows = self._read[key].get(tag_parts(name.tag).core, {})
        for tag in best_variants(rows, name.tag):
            kind, row = kind_of(tag), rows[tag]
            if kind is not None:
                reference = written(name.host, name.repository, tag)
                variant = StoredVariant(
                    kind, reference, row.compressed_bytes, row.last_seen_at
                )
                yield FoundVariant(row.base_chain_id, variant, name.reference)


def _by_core(
    connection: Connection, host: str, repository: str, platform_id: int
) -> _ByCore:
    found: dict[tuple[str, ...], dict[str, _VariantRow]] = {}
    parameters = {"host": host, "repository": repository, "platform": platform_id}
    for row in connection.execute(_VARIANTS, parameters):
        found.setdefault(tag_parts(row.tag).core, {})[row.tag] = row
    return found


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
