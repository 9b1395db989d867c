"""What `weighbridge waive` does with the configured database, and prints."""

from datetime import UTC, datetime
from functools import partial

from weighbridge.bootstrap.databases import (
    check_registry,
    read_database,
    ready_database,
)
from weighbridge.cli.actions.tokens import system_user
from weighbridge.cli.options.parameters import name_at
from weighbridge.config import Settings
from weighbridge.domain.policy.waiver import (
    NewWaiver,
    Waiver,
    checked_limit,
    checked_reason,
    checked_target,
    parse_target,
    parse_until,
)
from weighbridge.errors import UsageError
from weighbridge.presentation.forms.phrases import minute
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.policy_rows import WAIVER_COLUMNS, waiver_json
from weighbridge.store.reports.search import matches_anything
from weighbridge.store.violations.waivers import put_waiver, revoke_waiver, waiver_page


def create(
    settings: Settings,
    ref: str,
    limit_key: str | None,
    reason: str,
    until: str,
    now: datetime,
) -> tuple[Waiver, bool]:
    """Keep it. Returns it and whether it is about anything that is known already.

    Raises UsageError for what is no name, limit, reason or time, or
    (unknown_registry), and StoreError(no_database).
    """
    written = parse_target(ref)
    target = checked_target(
        name_at(settings, written.registry), written.repository, written.tag
    )
    new = NewWaiver(
        target.registry,
        target.repository,
        target.tag,
        None if limit_key is None else checked_limit(limit_key),
        checked_reason(reason),
        system_user(),
        parse_until(until, now),
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


def listed(
    settings: Settings, output: Output, screen: Screen, *, is_all: bool, limit: int
) -> str:
    """A row a waiver, the newest first: those in force, or all that were ever made.
    Raises StoreError(no_database)."""
    now = datetime.now(UTC)
    with read_database(settings) as connection:
        page = waiver_page(connection, now, is_all=is_all, limit=limit)
    more = f"the newest {len(page.items):,}; --limit shows more"
    foot = [more] if page.next_cursor else []
    return _table(now).printed(page.items, output, screen, foot=foot)


def revoked(settings: Settings, waiver_id: int) -> str:
    """What was ended.

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
    waiver, is_new = found
    words = "revoked" if is_new else "was over before"
    return f"{words}: waiver {waiver.id} of {waiver}"


def created(waiver: Waiver, output: Output, now: datetime) -> str:
    """What is waived from now on."""
    if output != "table":
        return _table(now).printed([waiver], output, Screen())
    what = waiver.limit_key or "every limit"
    until = _until(waiver)
    return f"waived: {what} of {waiver} until {until} (waiver {waiver.id})"


def about_nothing(waiver: Waiver) -> str:
    """It may have been made before the first push, or with a slip in a name."""
    return (
        f"warning: nothing that is known is called {waiver}; "
        "the waiver holds once such a thing is pushed"
    )


def _table(now: datetime) -> Table[Waiver]:
    return Table(
        columns=(
            Column("id", lambda waiver: str(waiver.id), rank=None),
            Column("state", lambda waiver: waiver.state(now), rank=2),
            Column("waived", str, "name"),
            Column("limit", lambda waiver: waiver.limit_key or "every limit", rank=4),
            Column("until", _until, rank=3),
            Column("by", lambda waiver: waiver.author, rank=1),
            Column("reason", lambda waiver: waiver.reason, "line"),
        ),
        keys=WAIVER_COLUMNS,
        as_object=partial(waiver_json, now=now),
        empty="nothing is waived",
    )


def _until(waiver: Waiver) -> str:
    return f"{minute(waiver.expires_at)} UTC"
