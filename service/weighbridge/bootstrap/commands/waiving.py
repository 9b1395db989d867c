"""What `weighbridge waive` does with the configured database."""

from datetime import UTC, datetime

from msgspec import Struct

from weighbridge.bootstrap.commands.reports import check_registry
from weighbridge.bootstrap.commands.tokens import system_user
from weighbridge.bootstrap.databases import ready_database
from weighbridge.config import Settings
from weighbridge.domain.policy.policy import LimitKey, Match
from weighbridge.domain.policy.waiver import NewWaiver, Waiver
from weighbridge.domain.report.inventory import Page
from weighbridge.errors import UsageError
from weighbridge.store.reports.search import matches_anything
from weighbridge.store.violations.waivers import put_waiver, revoke_waiver, waiver_page


class WaiverRequest(Struct, frozen=True):
    """What somebody wants to have waived; every part is checked."""

    target: Match
    limit_key: LimitKey | None
    reason: str
    expires_at: datetime


def create(settings: Settings, wanted: WaiverRequest) -> tuple[Waiver, bool]:
    """Keep it. Returns it and whether it is about anything that is known already.

    Raises UsageError(unknown_registry), StoreError(no_database).
    """
    target = wanted.target
    new = NewWaiver(
        target.registry,
        target.repository,
        target.tag,
        wanted.limit_key,
        wanted.reason,
        system_user(),
        wanted.expires_at,
    )
    with ready_database(settings, must_exist=True) as database:
        with database.read() as connection:
            is_about_known = matches_anything(connection, target)
        with database.write() as connection:
            if "*" not in target.registry:
                # `acme/app` is a repository to docker, and to us one of a registry
                # `acme`.
                check_registry(connection, target.registry)
            return put_waiver(connection, new, datetime.now(UTC)), is_about_known


def list_waivers(
    settings: Settings, *, is_all: bool, limit: int, now: datetime
) -> Page[Waiver]:
    """Those in force, or all that were ever made. Raises StoreError(no_database)."""
    with (
        ready_database(settings, must_exist=True) as database,
        database.read() as connection,
    ):
        return waiver_page(connection, now, is_all=is_all, limit=limit)


def revoke(settings: Settings, waiver_id: int) -> tuple[Waiver, bool]:
    """The waiver, and whether it was in force until now.

    Raises UsageError(unknown_waiver), StoreError(no_database).
    """
    with (
        ready_database(settings, must_exist=True) as database,
        database.write() as connection,
    ):
        found = revoke_waiver(connection, waiver_id, system_user(), datetime.now(UTC))
    if found is None:
        raise UsageError(
            f"there is no waiver {waiver_id}",
            code="unknown_waiver",
            hint="weighbridge waive list",
        )
    return found
