"""Reads the configured database back. Nothing that asks registries is loaded."""

from dataclasses import dataclass

from weighbridge.bootstrap.databases import ready_database
from weighbridge.config import Settings
from weighbridge.domain.report import RegistryReport, RepositoryReport
from weighbridge.errors import UsageError
from weighbridge.store.reports import RepositoryQuery, registry_reports, repository_page


@dataclass(frozen=True, slots=True)
class Heaviest:
    """Rows in the order that was asked for, and the registries that they are of."""

    rows: tuple[RepositoryReport, ...]
    registries: tuple[RegistryReport, ...] = ()


def top(
    settings: Settings, *, by: str, order: str, limit: int, registry: str | None
) -> Heaviest:
    """The first repositories by one column of the read model.

    Raises UsageError(unknown_registry), invalid_sort, invalid_limit,
    StoreError(no_database).
    """
    query = RepositoryQuery(registry=registry, sort=by, order=order, limit=limit)
    with (
        ready_database(settings, must_exist=True) as database,
        database.read() as connection,
    ):
        registries = registry_reports(connection)
        known = [report.name for report in registries]
        if registry is not None and registry not in known:
            raise UsageError(
                f"no registry called {registry!r} was ever crawled",
                code="unknown_registry",
                hint=f"there are  {', '.join(known) or 'none yet'}",
            )
        rows = repository_page(connection, query).items
    shown = {row.registry for row in rows}
    return Heaviest(rows, tuple(r for r in registries if r.name in shown))
