"""What `/metrics/repositories` exposes: families, budget, and the ladder down.

Levels: 3 everything, 2 core families of every repository, 1 core families of the
heaviest repositories, 0 registries only. Totals are always over all repositories.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from weighbridge.domain.report import RegistryReport, RepositoryReport
from weighbridge.web.exposition import Gauges, Labels, labels

_CORE_SERIES: Final = 4
_ALL_SERIES: Final = 7
_REGISTRY_SERIES: Final = 8
_EXPORTER_SERIES: Final = 8
# Beyond the budget a repository comes in at rank N and leaves at rank 1.2 N:
# neighbours of like weight would otherwise swap at every scrape, and churn costs
# Prometheus more than count.
_LEAVE: Final = 1.2

Name: TypeAlias = tuple[str, str]
_Gauge: TypeAlias = tuple[str, str, Callable[[RepositoryReport], float | None]]
_RegistryGauge: TypeAlias = tuple[str, str, Callable[[RegistryReport], float | None]]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What is exposed after one look at the database.

    registries: those that are configured; others have no series
    rows:    the exposed repositories, by name
    omitted: how many more there are
    newest_compressed_bytes: by registry, over all its repositories, exposed or not,
             also where the registry is no longer configured
    """

    level: int
    registries: tuple[RegistryReport, ...]
    rows: tuple[RepositoryReport, ...]
    omitted: int
    newest_compressed_bytes: Mapping[str, int]

    def newest_bytes(self, registry: str | None) -> int:
        """Of the newest images of one registry, or of all, nothing shared."""
        sums = self.newest_compressed_bytes
        return sum(sums.values()) if registry is None else sums.get(registry, 0)


def take_inventory(
    registries: Sequence[RegistryReport],
    rows: Iterable[RepositoryReport],
    max_series: int,
    before: Set[Name] = frozenset(),
) -> Inventory:
    """Choose what fits into `max_series`; `before` was exposed the last time.

    Reads `rows` once and keeps at most what the budget can show.
    """
    configured = [r for r in registries if r.state != "unconfigured"]
    totals = _Totals({registry.name for registry in configured})
    reserved = _EXPORTER_SERIES + _REGISTRY_SERIES * len(configured)
    room = max(0, max_series - reserved)
    # At least one, since for none `nlargest` would not count the rows either.
    most = max(1, room // _CORE_SERIES)
    heaviest = heapq.nlargest(most, totals.seen(rows), key=_weight)
    level = _level(totals.repositories, room)
    if level == 1:
        heaviest = _settled(heaviest, int(len(heaviest) / _LEAVE), before)
    elif level == 0:
        heaviest = []
    return Inventory(
        level=level,
        registries=tuple(configured),
        rows=tuple(sorted(heaviest, key=name_of)),
        omitted=totals.repositories - len(heaviest),
        newest_compressed_bytes=totals.newest_compressed_bytes,
    )


def name_of(row: RepositoryReport) -> Name:
    """What tells a repository from every other."""
    return row.registry, row.repository


class _Totals:
    """Counts rows while they pass by; those of other registries end here."""

    def __init__(self, configured: Set[str]) -> None:
        self._configured = configured
        self.repositories = 0
        self.newest_compressed_bytes: dict[str, int] = {}

    def seen(self, rows: Iterable[RepositoryReport]) -> Iterable[RepositoryReport]:
        for row in rows:
            sums = self.newest_compressed_bytes
            number = row.newest_compressed_bytes or 0
            sums[row.registry] = sums.get(row.registry, 0) + number
            if row.registry in self._configured:
                self.repositories += 1
                yield row


def _level(repositories: int, room: int) -> int:
    if repositories * _ALL_SERIES <= room:
        return 3
    if repositories * _CORE_SERIES <= room:
        return 2
    return 1 if int(room // _CORE_SERIES / _LEAVE) else 0


def _weight(row: RepositoryReport) -> tuple[int, Name]:
    return row.newest_compressed_bytes or -1, name_of(row)


def _settled(
    ranked: Sequence[RepositoryReport], wanted: int, before: Set[Name]
) -> list[RepositoryReport]:
    held = [row for row in ranked[wanted:] if name_of(row) in before]
    return [*ranked[:wanted], *held]


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else round(moment.timestamp())


def _pushed_at(row: RepositoryReport) -> float | None:
    """Known where a push decided, or a tag that moved between two passes."""
    return _seconds(row.newest_at) if row.newest_by in ("pushed", "moved") else None


_CORE: Final[tuple[_Gauge, ...]] = (
    (
        "newest_image_compressed_bytes",
        "Bytes that a pull of the newest image moves.",
        lambda row: row.newest_compressed_bytes,
    ),
    (
        "newest_image_uncompressed_bytes",
        "Bytes of the newest image on disk; absent where unknown.",
        lambda row: row.newest_uncompressed_bytes,
    ),
    (
        "baseline_image_compressed_bytes",
        "Median of the ten distinct images before the newest; absent below three.",
        lambda row: row.baseline_compressed_bytes,
    ),
)
_MORE: Final[tuple[_Gauge, ...]] = (
    ("tags", "Tags of the repository.", lambda row: row.tags),
    (
        "newest_image_pushed_timestamp_seconds",
        "When the newest image was pushed, or its tag was first seen to move there.",
        _pushed_at,
    ),
    (
        "last_audit_timestamp_seconds",
        "When a pass last saw the whole repository.",
        lambda row: _seconds(row.last_complete_pass_at),
    ),
)
_UP: Final = {"ok": 1, "unauthorized": 0, "unreachable": 0, "error": 0}
_REGISTRY: Final[tuple[_RegistryGauge, ...]] = (
    (
        "registry_up",
        "Whether the registry answered the last pass.",
        lambda registry: _UP.get(registry.state),
    ),
    (
        "registry_repositories",
        "Repositories of the registry.",
        lambda registry: registry.repositories,
    ),
    ("registry_tags", "Tags of the registry.", lambda registry: registry.tags),
    (
        "registry_images",
        "Distinct images of the registry.",
        lambda registry: registry.images,
    ),
    (
        "registry_referenced_bytes",
        "Bytes of all tags as if nothing were shared.",
        lambda registry: registry.referenced_bytes,
    ),
)


def inventory_families(inventory: Inventory) -> list[Gauges]:
    """Every family of `/metrics/repositories` but the exporter's own."""
    families = [*_RegistryFamilies(inventory.registries)(_REGISTRY)]
    gauges = _CORE + _MORE if inventory.level == 3 else _CORE
    named = [(row, _labels(row)) for row in inventory.rows]
    families.append(
        Gauges(
            "weighbridge_repository_info",
            "A repository with the platform that its sizes are of; always 1.",
            [(_info_labels(row), 1) for row in inventory.rows],
        )
    )
    families.extend(_repository_family(gauge, named) for gauge in gauges)
    return families


def count_series(families: Iterable[Gauges]) -> int:
    """How many series these families have."""
    return sum(len(family.samples) for family in families)


class _RegistryFamilies:
    """Families of one sample a registry."""

    def __init__(self, registries: Sequence[RegistryReport]) -> None:
        self._named = [(r, labels(registry=r.name)) for r in registries]

    def __call__(self, gauges: Iterable[_RegistryGauge]) -> Iterable[Gauges]:
        for name, help_text, value_of in gauges:
            values = [(label, value_of(report)) for report, label in self._named]
            known = [(label, value) for label, value in values if value is not None]
            yield Gauges(f"weighbridge_{name}", help_text, known)


def _repository_family(
    gauge: _Gauge, named: Sequence[tuple[RepositoryReport, Labels]]
) -> Gauges:
    name, help_text, value_of = gauge
    values = [(label, value_of(row)) for row, label in named]
    known = [(label, value) for label, value in values if value is not None]
    return Gauges(f"weighbridge_repository_{name}", help_text, known)


def _labels(row: RepositoryReport) -> Labels:
    return labels(registry=row.registry, repository=row.repository)


def _info_labels(row: RepositoryReport) -> Labels:
    platform = row.newest_platform or ""
    return labels(registry=row.registry, repository=row.repository, platform=platform)
