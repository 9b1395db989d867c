"""Storage as a bar: what is shared, what is not, and what sharing saves."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.report.inventory import (
    RegistryReport,
    RepositoryReport,
    ScopeKind,
)
from weighbridge.domain.text.units import format_bytes
from weighbridge.web.views.charts import MIN_SHARE

_INSET: Final = 0.35


class Storage(Struct, frozen=True):
    """Bytes, and the widths of their parts in percent of the bar.

    never_bytes: what a naive sum counts more than once; 0 where that is left out
    title:       the bar as a sentence
    """

    deduplicated_bytes: int
    shared_bytes: int
    exclusive_bytes: int
    referenced_bytes: int
    never_bytes: int
    shared: float
    exclusive: float
    never: float
    title: str

    @property
    def inset(self) -> tuple[float, float]:
        """Start and width of the second border of what is shared, 0 for no room."""
        room = self.shared - 2 * _INSET
        return (_INSET, room) if room > _INSET else (0.0, 0.0)

    @property
    def factor(self) -> str:
        """How many times as much the naive sum says: `2.77`."""
        if not self.deduplicated_bytes:
            return ""
        factor = self.referenced_bytes / self.deduplicated_bytes
        return f"{factor:.2f}" if factor < 9.995 else f"{factor:,.0f}"


def registry_storage(registries: Sequence[RegistryReport]) -> Storage | None:
    """Of registries together; None where none of them was read yet."""
    known = [r for r in registries if r.deduplicated_bytes is not None]
    if not known:
        return None
    # One by one each entry says all that it holds; together, each blob counts once.
    repeated = sum(r.repeated_bytes for r in known) if len(known) > 1 else 0
    deduplicated = sum(r.deduplicated_bytes or 0 for r in known) - repeated
    shared = sum(r.shared_bytes or 0 for r in known) - repeated
    referenced = sum(r.referenced_bytes or 0 for r in known)
    return _storage(deduplicated, shared, referenced, with_never=True)


def repository_storage(report: RepositoryReport) -> Storage | None:
    """Of one repository; None where it was not read yet."""
    if report.deduplicated_bytes is None or report.shared_bytes is None:
        return None
    referenced = report.referenced_bytes or 0
    return _storage(
        report.deduplicated_bytes, report.shared_bytes, referenced, with_never=False
    )


def what_exclusive_frees(report: RepositoryReport, kind: ScopeKind | None) -> str:
    """A sentence that names the set; "" where nothing is known yet."""
    storage = repository_storage(report)
    if storage is None:
        return ""
    freed = format_bytes(storage.exclusive_bytes)
    if kind == "repository":
        return (
            f"This registry keeps the blobs of each repository apart: deleting it "
            f"frees {freed}, all of it, after garbage collection."
        )
    place = "the project" if kind == "project" else "the registry"
    words = (
        f"Deleting the repository frees {freed} after garbage collection: nothing else "
        f"in {place} {report.storage_scope} refers to that."
    )
    if storage.shared_bytes:
        stays = format_bytes(storage.shared_bytes)
        words += f" The other {stays} stay, because other repositories use them too."
    return words


def _storage(
    deduplicated: int, shared: int, referenced: int, *, with_never: bool
) -> Storage:
    # A settler may be a second behind: no part is drawn below nothing.
    shared = min(shared, deduplicated)
    exclusive = deduplicated - shared
    never = max(0, referenced - deduplicated) if with_never else 0
    widths = _shares((shared, exclusive, never))
    return Storage(
        deduplicated_bytes=deduplicated,
        shared_bytes=shared,
        exclusive_bytes=exclusive,
        referenced_bytes=referenced,
        never_bytes=never,
        shared=widths[0],
        exclusive=widths[1],
        never=widths[2],
        title=_title(deduplicated, shared, exclusive, never),
    )


def _shares(parts: Sequence[int]) -> list[float]:
    """Percent with two decimals; something is never too narrow to be seen."""
    total = sum(parts)
    if not total:
        return [0.0 for _ in parts]
    shares = [max(MIN_SHARE, n / total * 100) if n else 0.0 for n in parts]
    largest = shares.index(max(shares))
    shares[largest] -= sum(shares) - 100
    return [round(share, 2) for share in shares]


def _title(deduplicated: int, shared: int, exclusive: int, never: int) -> str:
    words = (
        f"Of {format_bytes(deduplicated)} stored, {format_bytes(shared)} are shared by "
        f"several repositories and {format_bytes(exclusive)} are in one only"
    )
    if never:
        words += f"; {format_bytes(never)} more were never stored thanks to sharing"
    return words
