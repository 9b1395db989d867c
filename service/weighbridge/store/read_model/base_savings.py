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

from weighbridge.domain.base.savings import Saving, saving_of
from weighbridge.domain.image.image_base import ImageBase
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
        _on.relation == "base",
        _on.found_by != "history",
        _of_repository.registry_id.is_not(None),
        among_ids(_on.base_chain_id),
    )
)

_KEY: Final = itemgetter(0)

_Row: TypeAlias = tuple[object, ...]
_Rows: TypeAlias = Mapping[object, _Row]
"""By the first of their columns, which is the key."""


class _Change(NamedTuple):
    put: Sequence[_Row]
    dropped: Sequence[_Row]


class CountedSavings(NamedTuple):
    """What the rows are to be, and were.

    by_base: bytes that the newest images on a build would be lighter together, each
             repository's once; builds without a lighter variant are left out
    """

    by_base: Mapping[int, int]
    best: _Change
    repositories: _Change

    @property
    def changes(self) -> int:
        """How many rows differ from those that are stored."""
        return sum(map(len, (*self.best, *self.repositories)))

    def of_builds(self, builds: Collection[int]) -> int | None:
        """Of these builds together; None: no variant of any of them is known to save a
        newest image anything."""
        known = [self.by_base[build] for build in builds if build in self.by_base]
        return bounded(sum(known)) if known else None

    def write(self, connection: Connection) -> None:
        """Store what differs."""
        _PUT_BEST.add(connection, self.best.put)
        _DROP_BEST.remove(connection, self.best.dropped)
        _PUT.add(connection, self.repositories.put)
        _DROP.remove(connection, self.repositories.dropped)


def count_savings(
    connection: Connection, bases: Mapping[int, tuple[str, int]]
) -> CountedSavings:
    """Of the newest images on these builds of bases.

    bases: the name of each and its bytes, by its id
    """
    best = _best_savings(connection, bases)
    saved = {chain: saving.saved_bytes for chain, saving in best.items()}
    repositories: dict[object, _Row] = {}
    by_base: Counter[int] = Counter()
    for row in connection.execute(_NEWEST, {"ids": listed(sorted(best))}):
        number = saved[row.base_chain_id]
        repositories[row.repository_id] = (*row, number)
        by_base[row.base_chain_id] += number
    return CountedSavings(
        by_base,
        _changes(connection, _STORED_BEST, {n: _row(n, s) for n, s in best.items()}),
        _changes(connection, _STORED, repositories),
    )


def _best_savings(
    connection: Connection, bases: Mapping[int, tuple[str, int]]
) -> dict[int, Saving]:
    """Of each build of a base the variant that saves most, where one saves anything."""
    names = names_of_bases(connection, bases)
    variants = VariantFinder(connection)
    found = {}
    for chain, (reference, size) in bases.items():
        savings = _savings(variants, chain, reference, size, names.get(chain, ()))
        if savings:
            found[chain] = min(
                savings, key=lambda each: (-each.saved_bytes, each.variant.reference)
            )
    return found


def _savings(
    variants: VariantFinder,
    chain: int,
    reference: str,
    compressed_bytes: int,
    names: Sequence[NamedBase],
) -> list[Saving]:
    base = ImageBase(reference, (), None, compressed_bytes, None, "base", "layers")
    found = (
        saving_of(base, each.variant, each.of)
        for each in variants.of_base(chain, reference, names)
    )
    return [saving for saving in found if saving is not None]


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
