"""The names of bases, and the slimmer variants that are found by them: of bases that
were crawled alone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import BigInteger, Connection, Row, bindparam, or_, select

from weighbridge.domain.base.names import written
from weighbridge.domain.base.savings import StoredVariant
from weighbridge.domain.base.variants import (
    VARIANT_KINDS,
    best_variants,
    kind_of,
    names_a_version,
    tag_parts,
)
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import base_chains, base_names
from weighbridge.store.models.types import UTF8

NAMES_AT_MOST: Final = 8
"""Names of one base that variants are looked for by."""

_name = base_names.c
_chain = base_chains.c
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
        or_(*(_name.tag.contains(kind) for kind in VARIANT_KINDS)),
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
                   to it now, as far as the first has no variant of a kind. What a name
                   led to before is of another version unless the name says which
        """
        in_order = sorted(
            dict.fromkeys(
                name
                for name in names
                if name.left_at is None
                or (name.reference == reference and names_a_version(name.tag))
            ),
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
