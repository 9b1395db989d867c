"""Reads the configured database back. Nothing that asks registries is loaded."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from weighbridge.bootstrap.databases import ready_database
from weighbridge.config import Settings
from weighbridge.domain.policy.policy import Limits
from weighbridge.domain.policy.simulation import (
    SimulatedImage,
    Simulation,
    simulate_limits,
)
from weighbridge.domain.report.inventory import (
    ChannelReport,
    DisputeReport,
    Page,
    RegistryReport,
    RepositoryReport,
)
from weighbridge.domain.report.violation import ViolationList
from weighbridge.domain.text.globs import fits
from weighbridge.domain.text.printable import printable
from weighbridge.errors import UsageError
from weighbridge.store.reports.disputes import DisputeQuery, dispute_page
from weighbridge.store.reports.inventory import newest_images
from weighbridge.store.reports.notifications import channel_reports
from weighbridge.store.reports.registries import (
    registry_names,
    registry_reports,
    was_crawled,
)
from weighbridge.store.reports.repositories import repository_page
from weighbridge.store.reports.repository_order import RepositoryQuery
from weighbridge.store.reports.violations import ViolationQuery, violation_page
from weighbridge.store.session import Connection


class Heaviest(Struct, frozen=True):
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
        check_registry(connection, registry)
        registries = registry_reports(connection)
        rows = repository_page(connection, query).items
    shown = {row.registry for row in rows}
    return Heaviest(rows, tuple(r for r in registries if r.name in shown or not rows))


def violations(
    settings: Settings, query: ViolationQuery, now: datetime
) -> ViolationList:
    """The newest of those that are asked for.

    Raises UsageError(unknown_registry, invalid_limit), StoreError(no_database).
    """
    with (
        ready_database(settings, must_exist=True) as database,
        database.read() as connection,
    ):
        check_registry(connection, query.registry)
        page = violation_page(connection, query, now)
        crawled = was_crawled(connection)
    is_part = (query.registry, query.team, query.severity) != (None, None, None)
    return ViolationList(page.items, page.next_cursor is not None, is_part, crawled)


def disputes(settings: Settings, query: DisputeQuery) -> Page[DisputeReport]:
    """The latest of those that are asked for.

    Raises UsageError(unknown_registry, invalid_limit), StoreError(no_database).
    """
    with (
        ready_database(settings, must_exist=True) as database,
        database.read() as connection,
    ):
        check_registry(connection, query.registry)
        return dispute_page(connection, query)


def check_registry(connection: Connection, name: str | None) -> None:
    """Tell an empty answer from a misspelt name.

    Raises UsageError(unknown_registry).
    """
    known = registry_names(connection)
    if name is not None and name not in known:
        raise UsageError(
            f"no registry called {printable(name, 70)!r} was ever crawled",
            code="unknown_registry",
            hint=f"there are  {', '.join(known) or 'none yet'}",
        )


def notification_status(settings: Settings) -> list[ChannelReport]:
    """Every channel that something was ever to be told on. Raises
    StoreError(no_database)."""
    with (
        ready_database(settings, must_exist=True) as database,
        database.read() as connection,
    ):
        return channel_reports(connection)


def simulate_on_all(
    settings: Settings, limits: Limits, *, registry: str | None, pattern: str
) -> Simulation:
    """What the limits would flag now. Reads only.

    pattern: of the repositories' names
    Raises UsageError(unknown_registry), StoreError(no_database).
    """
    with (
        ready_database(settings, must_exist=True) as database,
        database.read() as connection,
    ):
        check_registry(connection, registry)
        return simulate_limits(limits, _images(connection, limits, registry, pattern))


def _images(
    connection: Connection, limits: Limits, registry: str | None, pattern: str
) -> Iterator[SimulatedImage]:
    with_layers = limits.max_layer_compressed_bytes is not None
    for image in newest_images(connection, registry, with_layers=with_layers):
        if fits(pattern, image.repository):
            yield image
