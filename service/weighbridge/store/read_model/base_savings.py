"""What the best slimmer variant of each base would save, and which repositories' newest
images it would save that: rows of `base_savings` and `repository_savings`, counted with
what stands on bases.

An image that was found by its lines counts not: whoever pushes it writes them, and its
layers are others.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, Executable, select

from weighbridge.domain.base.savings import FleetSaving, Saving, saving_of
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.store.bases.fleet_savings import IS_ON, fleet_savings
from weighbridge.store.bases.variant_finder import (
    NamedBase,
    VariantFinder,
    names_of_bases,
)
from weighbridge.store.dialect import BulkDelete, BulkUpsert, among_ids, listed
from weighbridge.store.models import (
    base_savings,
    image_bases,
    repository_savings,
    repository_summaries,
)
from weighbridge.store.models.types import bounded

_on = image_bases.c
_of_repository = repository_summaries.c
_VALUES: Final = ("base", "base_bytes", "kind", "variant", "variant_bytes")
_BEST: Final = ("base_chain_id", *_VALUES, "saved_bytes")
_ROW: Final = ("repository_id", "registry_id", "image_id", "base_chain_id")
_PUT_BEST: Final = BulkUpsert(base_savings, key=_BEST[:1], values=_BEST[1:])
_DROP_BEST: Final = BulkDelete(base_savings, key=_BEST[:1])
_PUT: Final = BulkUpsert(
    repository_savings, key=_ROW[:1], values=[*_ROW[1:], "saved_bytes"]
)
_DROP: Final = BulkDelete(repository_savings, key=_ROW[:1])
_STORED_BEST: Final = select(*(base_savings.c[name] for name in _BEST))
_STORED: Final = select(
    *(repository_savings.c[name] for name in (*_ROW, "saved_bytes"))
)
_NEWEST: Final = (
    select(
        _of_repository.repository_id,
        _of_repository.registry_id,
        _on.image_id,
        _on.base_chain_id,
    )
    .join(image_bases, _on.image_id == _of_repository.newest_image_id)
    .where(
        IS_ON,
        _of_repository.registry_id.is_not(None),
        among_ids(_on.base_chain_id),
    )
)

_KEY: Final = itemgetter(0)

_Row: TypeAlias = tuple[object, ...]
_Rows: TypeAlias = Mapping[object, _Row]
"""By the first of their columns, which is the key."""


class _Best(NamedTuple):
    """A variant of a build, and the build that it is itself."""

    chain: int
    saving: Saving


class _Change(NamedTuple):
    put: Sequence[_Row]
    dropped: Sequence[_Row]


SAVING_COLUMNS: Final = (
    "saved_bytes",
    "saving_chain_id",
    "saving_image_count",
    "saving_repository_count",
    "saved_stored_bytes",
)
"""Of a row of `base_summaries`."""
_OfBase: TypeAlias = tuple[int | None, int | None, int | None, int | None, int | None]


class BuildsOfBase(NamedTuple):
    """What images on one base stand on.

    shown: the build of which bytes are shown, and these; it may be none of the others
    bytes: by build
    """

    shown: tuple[int, int]
    bytes: Mapping[int, int]


class CountedSavings(NamedTuple):
    """What the rows are to be, and were.

    bases: `SAVING_COLUMNS` of each base that has a lighter variant
    """

    bases: Mapping[str, _OfBase]
    best: _Change
    repositories: _Change

    @property
    def changes(self) -> int:
        """How many rows differ from those that are stored."""
        return sum(map(len, (*self.best, *self.repositories)))

    def of_base(self, name: str) -> _OfBase:
        """`SAVING_COLUMNS` of a base."""
        return self.bases.get(name, (None, None, None, None, None))

    def write(self, connection: Connection) -> None:
        """Store what differs."""
        _PUT_BEST.add(connection, self.best.put)
        _DROP_BEST.remove(connection, self.best.dropped)
        _PUT.add(connection, self.repositories.put)
        _DROP.remove(connection, self.repositories.dropped)


def count_savings(
    connection: Connection,
    bases: Mapping[str, BuildsOfBase],
    in_part: Collection[str] = (),
) -> CountedSavings:
    """Of the images on these bases, by their names.

    in_part: see `fleet_savings`
    """
    best = _best_savings(connection, bases)
    repositories: dict[object, _Row] = {}
    by_build: Counter[int] = Counter()
    for row in connection.execute(_NEWEST, {"ids": listed(sorted(best))}):
        saved = best[row.base_chain_id].saving.saved_bytes
        repositories[row.repository_id] = (*row, saved)
        by_build[row.base_chain_id] += saved
    rows: dict[object, _Row] = {
        chain: _row(chain, found.saving) for chain, found in best.items()
    }
    return CountedSavings(
        _of_bases(connection, bases, best, by_build, in_part),
        _changes(connection, _STORED_BEST, rows),
        _changes(connection, _STORED, repositories),
    )


def _of_bases(
    connection: Connection,
    bases: Mapping[str, BuildsOfBase],
    best: Mapping[int, _Best],
    by_build: Mapping[int, int],
    in_part: Collection[str],
) -> dict[str, _OfBase]:
    """Those of which no build has a lighter variant are left out."""
    names = sorted(bases)
    moves: dict[int, dict[int, int]] = {}
    for place, name in enumerate(names):
        for build in bases[name].bytes:
            if build in best:
                moves.setdefault(place, {})[build] = best[build].chain
    fleets = fleet_savings(connection, moves, in_part)
    found: dict[str, _OfBase] = {}
    for place, name in enumerate(names):
        builds, (shown, _) = moves.get(place, {}), bases[name].shown
        if shown not in best:
            if not builds:
                continue
            shown = min(builds, key=lambda build: (_by_saving(best[build]), build))
        # No newest image may be on it.
        known = [by_build[build] for build in builds if build in by_build]
        fleet = fleets.get(place, FleetSaving(0, 0, 0))
        stored = fleet.stored_bytes
        found[name] = (
            bounded(sum(known)) if known else None,
            shown,
            fleet.images,
            fleet.repositories,
            None if stored is None else bounded(stored),
        )
    return found


def _best_savings(
    connection: Connection, bases: Mapping[str, BuildsOfBase]
) -> dict[int, _Best]:
    """Of each build of a base the variant that saves most, where one saves anything."""
    builds = [
        (reference, chain, size)
        for reference, base in bases.items()
        for chain, size in base.bytes.items()
    ]
    # A build that another base is known by too has that one's name.
    builds += [(reference, *base.shown) for reference, base in bases.items()]
    names = names_of_bases(connection, {chain for _, chain, _ in builds})
    variants = VariantFinder(connection)
    found: dict[int, _Best] = {}
    for reference, chain, size in builds:
        if chain in found:
            continue
        savings = _savings(variants, chain, reference, size, names.get(chain, ()))
        if savings:
            found[chain] = min(savings, key=_by_saving)
    return found


def _by_saving(best: _Best) -> tuple[int, str]:
    return (-best.saving.saved_bytes, best.saving.variant.reference)


def _savings(
    variants: VariantFinder,
    chain: int,
    reference: str,
    compressed_bytes: int,
    names: Sequence[NamedBase],
) -> list[_Best]:
    base = ImageBase(reference, (), None, compressed_bytes, None, "base", "layers")
    return [
        _Best(each.chain, saving)
        for each in variants.of_base(chain, reference, names)
        if (saving := saving_of(base, each.variant, each.of)) is not None
    ]


def _row(chain: int, saving: Saving) -> _Row:
    return (
        chain,
        saving.base,
        saving.base_bytes,
        saving.variant.kind,
        saving.variant.reference,
        saving.variant.compressed_bytes,
        saving.saved_bytes,
    )


def _changes(connection: Connection, stored: Executable, wanted: _Rows) -> _Change:
    before = {row[0]: tuple(row) for row in connection.execute(stored)}
    put = [row for key, row in wanted.items() if before.get(key) != row]
    dropped = [(key,) for key in before.keys() - wanted.keys()]
    return _Change(sorted(put, key=_KEY), sorted(dropped, key=_KEY))
