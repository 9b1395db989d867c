"""What `weighbridge db` does with the configured database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final

from msgspec import Struct

from weighbridge.bootstrap.databases import ready_database
from weighbridge.config import Settings
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.errors import StoreError, UsageError
from weighbridge.ports.job_names import DISCOVER
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.connection.retries import patiently
from weighbridge.store.leases.process_mark import this_process
from weighbridge.store.maintenance.checking.damage import count_damaged, drop_damaged
from weighbridge.store.maintenance.checking.differences import Difference
from weighbridge.store.maintenance.checking.recount import recount
from weighbridge.store.maintenance.checking.verify import Watch, verify
from weighbridge.store.maintenance.forgetting import Forgettable, find_known, forget
from weighbridge.store.reports.registries import registry_reports
from weighbridge.store.session import Database

MOST: Final = 10_000
"""Differences that are kept to be printed; all are counted."""


class Verified(Struct, frozen=True):
    """What was compared, and in what it differs.

    differences: the first ones; count: of all
    """

    registries: int
    repositories: int
    tags: int
    differences: Sequence[Difference]
    count: int


class Recounted(Struct, frozen=True):
    """What was put right.

    unread: documents and tags of which facts were lost: the next crawl reads them
    """

    registries: Sequence[str]
    differences: Sequence[Difference]
    count: int
    unread: int


def verify_database(settings: Settings, watch: Watch) -> Verified:
    """Count everything anew and compare; nothing is written but what waits for the
    settler."""
    platforms = {r.name: r.platforms for r in settings.registries}
    shown: list[Difference] = []
    count = 0
    with ready_database(settings, must_exist=True) as database, unhurried():
        for difference in verify(database, platforms, _now(), watch):
            count += 1
            if count <= MOST:
                shown.append(difference)
        reports = _reports(database)
    return Verified(
        registries=len(reports),
        repositories=sum(report.repositories for report in reports),
        tags=sum(report.tags for report in reports),
        differences=shown,
        count=count,
    )


def recount_database(
    settings: Settings, registry: str | None, watch: Watch
) -> Recounted:
    """Count a registry's totals anew and write them, or all registries', and then
    let go of facts that are not whole.

    Raises UsageError(unknown_registry), StoreError(facts_lost) where totals of others
    would be wrong afterwards.
    """
    changed: list[Difference] = []
    unread = 0
    with ready_database(settings, must_exist=True) as database:
        reports = _reports(database)
        chosen = [r for r in reports if registry in (None, r.name)]
        if registry is not None and not chosen:
            raise _unknown_registry(registry, reports)
        if registry is None:
            unread = patiently(partial(drop_damaged, database))
        elif lost := count_damaged(database):
            raise _facts_lost(lost)
        for report in chosen:
            platforms = _platforms(settings, report)
            changed += patiently(
                partial(recount, database, report.name, platforms, _now(), watch)
            )
    names = [report.name for report in chosen]
    return Recounted(names, changed[:MOST], len(changed), unread)


@contextmanager
def forgettable(settings: Settings, name: str) -> Iterator["Forgetting"]:
    """What is known under `REGISTRY` or `REGISTRY/REPOSITORY`, to be forgotten.

    Raises UsageError(unknown_registry, unknown_repository).
    """
    registry, repository = _named(name)
    with ready_database(settings, must_exist=True) as database:
        with database.read() as connection:
            known = find_known(connection, registry, repository)
        if known is None:
            raise _unknown(database, registry, repository or "")
        yield Forgetting(database, known)


class Forgetting(Struct, frozen=True):
    database: Database
    known: Forgettable

    def run(self, watch: Watch) -> None:
        """Raises StoreError(busy) while a crawl works there."""
        patiently(
            lambda: forget(
                self.database,
                self.known,
                _now,
                owner=this_process(),
                listing=DISCOVER,
                watch=watch,
            )
        )


def _named(name: str) -> tuple[str, str | None]:
    """Registry and repository, None for the whole registry. A slash without a
    repository behind it never means the registry: it may be half a name."""
    if "://" in name:
        return name.rstrip("/"), None
    registry, slash, repository = name.partition("/")
    if slash and not repository:
        raise UsageError(
            f"{name!r} names no repository",
            code="unknown_repository",
            hint=f"{registry}/REPOSITORY, or {registry} for all that is known of it",
        )
    return registry, repository or None


def _platforms(settings: Settings, report: RegistryReport) -> Sequence[Platform] | None:
    """In which order they speak for an index; None where it was configured once."""
    configured = settings.find_registry(report.name)
    if configured is not None:
        return configured.platforms
    return None if report.state == "unconfigured" else (DEFAULT,)


def _reports(database: Database) -> Sequence[RegistryReport]:
    with database.read() as connection:
        return registry_reports(connection)


def _facts_lost(count: int) -> StoreError:
    return StoreError(
        f"{count} documents, which any registry may share, have lost a part",
        code="facts_lost",
        hint="weighbridge db recount (of all registries)",
    )


def _unknown(database: Database, registry: str, repository: str) -> UsageError:
    reports = _reports(database)
    if registry not in {report.name for report in reports}:
        return _unknown_registry(registry, reports, repository)
    return UsageError(
        f"nothing is known of {repository!r} in {registry}",
        code="unknown_repository",
        hint="weighbridge top --by name shows what is there",
    )


def _unknown_registry(
    name: str, reports: Sequence[RegistryReport], repository: str = ""
) -> UsageError:
    known = ", ".join(report.name for report in reports)
    shown = f"...@{name.rpartition('@')[2]}" if "@" in name else name
    hint = f"there are  {known or 'none yet'}"
    if meant := _meant(f"{name}/{repository}".rstrip("/"), reports):
        hint = f"write  {meant}\n{hint}"
    return UsageError(
        f"no registry called {shown!r} was ever crawled",
        code="unknown_registry",
        hint=hint,
    )


def _meant(name: str, reports: Sequence[RegistryReport]) -> str:
    """The name of the registry at this address, as it is written with a scheme or
    without, and with a repository behind it or without; "" for none."""
    host, slash, repository = name.rpartition("://")[2].partition("/")
    for report in reports:
        if host in (report.name, report.url.rpartition("://")[2]):
            return f"{report.name}{slash}{repository}"
    return ""


def _now() -> datetime:
    return datetime.now(UTC)
