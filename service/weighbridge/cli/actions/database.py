"""What `weighbridge db` does with the configured database, and prints."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from typing import Final

from weighbridge.bootstrap.databases import planned_upgrade, ready_database
from weighbridge.cli.actions.tokens import system_user
from weighbridge.config import Settings
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.domain.text.printable import printable
from weighbridge.errors import StoreError, UsageError
from weighbridge.ports.job_names import DISCOVER
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.report_rows import keys_of
from weighbridge.store.access import Act, note_act
from weighbridge.store.connection.deadlines import patiently, unhurried
from weighbridge.store.leases.validity import this_process
from weighbridge.store.maintenance.checking.differences import Difference, Watch
from weighbridge.store.maintenance.checking.recount import (
    recount,
)
from weighbridge.store.maintenance.checking.verify import (
    count_damaged,
    drop_damaged,
    verify,
)
from weighbridge.store.maintenance.forgetting import Forgettable, find_known, forget
from weighbridge.store.reports.inventory import registry_reports
from weighbridge.store.schema import UpgradePlan, UpgradeStep
from weighbridge.store.session import Database

MOST: Final = 10_000
"""Differences that are kept to be printed; all are counted."""


_SHOWN: Final = 100
"""Rows of a table for people; other forms have all that were kept."""


def verified(
    settings: Settings, output: Output, screen: Screen, watch: Watch
) -> tuple[str, int]:
    """Every difference, or that there is none; and how many there are. Everything is
    counted anew; nothing is written but what waits for the settler."""
    platforms = {r.name: r.platforms for r in settings.registries}
    shown: list[Difference] = []
    count = 0
    with ready_database(settings, must_exist=True) as database, unhurried():
        for difference in verify(database, platforms, _now(), watch):
            count += 1
            if count <= MOST:
                shown.append(difference)
        reports = _reports(database)
    repositories = sum(report.repositories for report in reports)
    tags = sum(report.tags for report in reports)
    what = (
        f"{plural(len(reports), 'registry', 'registries')}, "
        f"{plural(repositories, 'repository', 'repositories')}, {plural(tags, 'tag')}"
    )
    said = f"all totals are right: {what}"
    if count:
        verb = "differs" if count == 1 else "differ"
        said = (
            f"{plural(count, 'value')} of {what} {verb} from what the tags and "
            "facts say\ntry: weighbridge db recount"
        )
    beside: dict[str, object] = {
        "differences": count,
        "registries": len(reports),
        "repositories": repositories,
        "tags": tags,
    }
    return _printed(shown, count, beside, said, output, screen), count


def recounted(
    settings: Settings,
    registry: str | None,
    output: Output,
    screen: Screen,
    watch: Watch,
) -> str:
    """What was put right: a registry's totals are counted anew and written, or those of
    all registries, and then facts that are not whole are let go.

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
        _note(database, "db.recount", registry or "all registries")
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
    count = len(changed)
    said = f"recounted {', '.join(map(printable, names)) or 'nothing'}: " + (
        f"{plural(count, 'value')} corrected" if count else "all was right"
    )
    if unread:
        # Facts of these were lost: the next crawl reads them.
        said += (
            f"\n{plural(unread, 'document')} lost a part and will be read again: "
            "weighbridge crawl"
        )
    beside: dict[str, object] = {
        "differences": count,
        "registries": names,
        "unread": unread,
    }
    return _printed(changed[:MOST], count, beside, said, output, screen)


def forgotten(
    settings: Settings,
    name: str,
    is_meant: Callable[[str], bool],
    watching: Callable[[], AbstractContextManager[Watch]],
) -> str:
    """What was forgotten of `REGISTRY` or `REGISTRY/REPOSITORY`; "" where it was not
    meant.

    is_meant: answers the question that is asked before
    Raises UsageError(unknown_registry, unknown_repository), StoreError(busy) while a
    crawl works there.
    """
    registry, repository = _named(name)
    with ready_database(settings, must_exist=True) as database:
        with database.read() as connection:
            known = find_known(connection, registry, repository)
        if known is None:
            raise _unknown(database, registry, repository or "")
        if not is_meant(f"Forget {_what(known)}, with all history?"):
            return ""
        _note(database, "db.forget", name, _what(known))
        owner = this_process()
        with watching() as watch:
            patiently(
                lambda: forget(
                    database, known, _now, owner=owner, listing=DISCOVER, watch=watch
                )
            )
        return f"removed: {_what(known)}"


def _note(database: Database, act: str, subject: str, detail: str = "") -> None:
    """Before it is begun: one that is interrupted has done a part."""
    with database.write() as connection:
        note_act(connection, Act(_now(), system_user(), act, subject, detail))


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


def _what(known: Forgettable) -> str:
    counted = [plural(known.tags, "tag")]
    if known.repository is None:
        number = len(known.repositories)
        counted.insert(0, plural(number, "repository", "repositories"))
    return f"{printable(known.name)} ({', '.join(counted)})"


def _printed(
    differences: Sequence[Difference],
    count: int,
    beside: Mapping[str, object],
    said: str,
    output: Output,
    screen: Screen,
) -> str:
    if output == "markdown":
        table = _TABLE.markdown(differences) if differences else ""
        return "\n\n".join(filter(None, (table, said)))
    more = f"and {count - _SHOWN:,} more (-o csv lists them)" if count > _SHOWN else ""
    shown = differences[:_SHOWN] if output == "table" else differences
    foot = [more, *said.split("\n")]
    return _TABLE.printed(shown, output, screen, foot=foot, beside=beside)


def _text(value: object) -> str:
    return "none" if value is None else str(value)


_TABLE: Final[Table[Difference]] = Table(
    columns=(
        Column("table", lambda found: found.table, rank=1),
        Column("where", lambda found: found.where, "name"),
        Column("what", lambda found: found.what, rank=2),
        Column("stored", lambda found: _text(found.stored), rank=3),
        Column("recounted", lambda found: _text(found.recounted), rank=3),
    ),
    keys=keys_of(Difference),
)


def planned(settings: Settings, output: Output, screen: Screen) -> str:
    """A row for each migration, and what to do before. Nothing is changed."""
    plan = planned_upgrade(settings)
    beside: dict[str, object] = {"found": plan.found, "needed": plan.needed}
    if output == "markdown":
        shown = _STEPS.markdown(plan.steps) if plan.steps else ""
        return "\n\n".join(filter(None, (shown, *_said_of(plan))))
    return _STEPS.printed(
        plan.steps, output, screen, foot=_said_of(plan), beside=beside
    )


def _said_of(plan: UpgradePlan) -> list[str]:
    if plan.found == plan.needed:
        return [f"nothing to do: the database has schema {plan.found}"]
    if plan.found is None:
        return [f"the database is empty: the tables of schema {plan.needed} are made"]
    return [
        f"{plural(len(plan.steps), 'step')} from schema {plan.found} to {plan.needed}, "
        "all in one transaction; nothing was changed yet",
        "before it: weighbridge db backup FILE",
        "then: weighbridge db upgrade",
    ]


def _reads(step: UpgradeStep) -> str:
    return ", ".join(
        f"{plural(rows, 'row')} of {name}" for name, rows in step.reads.items()
    )


_STEPS: Final[Table[UpgradeStep]] = Table(
    columns=(
        Column("schema", lambda step: step.revision, "name"),
        Column("what it does", lambda step: step.summary, rank=1),
        Column("goes over", _reads, rank=2),
    ),
    keys=keys_of(UpgradeStep),
)
