"""Reads the configured database back. Nothing that asks registries is loaded."""

from weighbridge.bootstrap.databases import ready_database
from weighbridge.config import Settings
from weighbridge.domain.report import RepositoryReport
from weighbridge.errors import UsageError
from weighbridge.store.reports import RepositoryQuery, registry_reports, repository_page


def top(
    settings: Settings, *, by: str, limit: int, registry: str | None
) -> list[RepositoryReport]:
    """The heaviest repositories by one column of the read model.

    Raises UsageError(unknown_registry), invalid_sort, invalid_limit.
    """
    query = RepositoryQuery(registry=registry, sort=by, order="desc", limit=limit)
    with ready_database(settings) as database, database.read() as connection:
        known = [report.name for report in registry_reports(connection)]
        if registry is not None and registry not in known:
            raise UsageError(
                f"no registry called {registry!r} was ever crawled",
                code="unknown_registry",
                hint=f"there are  {', '.join(known) or 'none yet'}",
            )
        return list(repository_page(connection, query).items)
