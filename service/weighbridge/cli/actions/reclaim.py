"""What `weighbridge reclaim` reads and prints: a report, and nothing is deleted."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from weighbridge.bootstrap.databases import read_database
from weighbridge.bootstrap.kinds import collector_of
from weighbridge.cli.actions.history import stored_reference
from weighbridge.config import Settings
from weighbridge.domain.image.reference import is_tag, written_tag
from weighbridge.domain.reclaim.keep_rules import KeepRules
from weighbridge.domain.reclaim.reclaim_report import ReclaimReport, Releasing
from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes
from weighbridge.errors import StoreError, UsageError, WeighbridgeError
from weighbridge.presentation.forms.phrases import (
    column_unit,
    minute,
    plural,
    some_names,
)
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.reclaim_rows import (
    RELEASING_COLUMNS,
    releasing_json,
    report_json,
)
from weighbridge.registry.exchange.collector import (
    Collector,
    Deletion,
    UnneededManifest,
)
from weighbridge.store.registries.registry_rows import find_site
from weighbridge.store.reports.inventory import registry_reports
from weighbridge.store.reports.nearest import nearest_repositories, nearest_tags
from weighbridge.store.reports.reclaim import (
    reclaim_by_rules,
    reclaim_tags,
    unknown_tags,
)
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.session import Connection

_ROWS: Final = 40
"""Images that a terminal shows; the other forms have all."""
_NAMED: Final = 4
_ROW_NAMES: Final = 12
"""Tags of one image that a table names; JSON and CSV have all."""


class Reclaimed(Struct, frozen=True):
    """A report with what is to be known of its registry.

    rules:    by which the tags were chosen, None: they were named
    unseen:   repositories of the registry whose last crawl did not see all of them
    """

    report: ReclaimReport
    rules: KeepRules | None
    kind: str
    url: str
    unseen: int
    now: datetime

    @property
    def collector(self) -> Collector:
        return collector_of(self.kind)


def reclaim(
    settings: Settings, text: str, names: Sequence[str], rules: KeepRules
) -> Reclaimed:
    """What deleting tags of a repository frees. names: empty: those that the rules do
    not keep

    Raises InvalidReference, UsageError and StoreError(no_database,
    repository_not_found, tag_not_found), the last two with the nearest names.
    """
    now = datetime.now(UTC)
    with read_database(settings) as connection:
        repository = _repository(connection, settings, text)
        in_part = repository.registry in settings.reclaim_choice.in_part
        if names:
            _check(connection, repository, names)
            report = reclaim_tags(
                connection, repository, names, now, leaves_tags_out=in_part
            )
        else:
            report = reclaim_by_rules(
                connection, repository, rules, now, leaves_tags_out=in_part
            )
        kind, url = find_site(connection, repository.registry)
        of = {each.name: each for each in registry_reports(connection)}
        registry = of[repository.registry]
    unseen = sum(registry.failing.values()) + registry.repositories_pending
    return Reclaimed(report, None if names else rules, kind, url, unseen, now)


def _repository(
    connection: Connection, settings: Settings, text: str
) -> RepositoryReport:
    registry, reference = stored_reference(connection, settings, text)
    name = f"{registry}/{reference.repository}"
    if written_tag(text) is not None or reference.digest is not None:
        raise UsageError(
            "a repository is named without a tag and without a digest",
            hint=f"weighbridge reclaim {name} --tag TAG",
        )
    found = find_repository(connection, registry, reference.repository)
    if found is None:
        near = nearest_repositories(connection, registry, reference.repository)
        raise StoreError(
            f"{name} was never crawled",
            code="repository_not_found",
            hint=f"nearest  {', '.join(near)}" if near else "",
        )
    return found


def _check(
    connection: Connection, repository: RepositoryReport, names: Sequence[str]
) -> None:
    unknown = unknown_tags(connection, repository, names)
    if not unknown:
        return
    near = nearest_tags(
        connection, repository.registry, repository.repository, unknown[0]
    )
    raise StoreError(
        f"{repository.registry}/{repository.repository} has no tag"
        f" {', '.join(unknown[:_NAMED])}",
        code="tag_not_found",
        hint=f"nearest  {', '.join(near)}" if near else "",
    )


def printed(found: Reclaimed, output: Output, screen: Screen) -> str:
    """The report in one of its forms."""
    report = found.report
    shown = report.groups[:_ROWS] if output == "table" else report.groups
    table = Table(
        columns=_columns(shown, screen),
        keys=RELEASING_COLUMNS,
        as_object=releasing_json,
        below=lambda group: group.reason,
        empty="" if report.freed is None else "  no tag would go",
    )
    collector = {
        "kind": found.kind,
        "removes": found.collector.removes,
        "unseen": found.collector.unseen,
    }
    beside = report_json(report, found.rules) | {"collector": collector}
    text = table.printed(
        shown, output, screen, foot=[*_foot(found, screen)], beside=beside
    )
    if output != "table":
        return text
    return "\n".join([screen.wrapped(_head(found)), "", text])


def _columns(
    groups: Sequence[Releasing], screen: Screen
) -> tuple[Column[Releasing], ...]:
    largest = max((group.freed_bytes for group in groups), default=0)
    unit = column_unit(largest, iec=screen.iec)
    return (
        Column(
            "Frees alone",
            lambda group: unit.cell(group.freed_bytes),
            "number",
            rank=None,
            unit=unit.name,
        ),
        Column("Since, UTC", lambda group: minute(group.since), rank=1),
        Column(
            "Tags that go",
            lambda group: some_names(group.tags, _ROW_NAMES, len(group.tags)),
            "line",
        ),
    )


def _head(found: Reclaimed) -> str:
    report = found.report
    how = "tags that were named" if found.rules is None else f"rules: {found.rules}"
    name = printable(f"{report.registry}/{report.repository}")
    return f"{name}   {how}   nothing is deleted: this is a report"


def _foot(found: Reclaimed, screen: Screen) -> Iterator[str]:
    report, freed = found.report, found.report.freed

    def size(n: int | None) -> str:
        return "unknown" if n is None else format_bytes(n, iec=screen.iec)

    if freed is None:
        yield f"  not known: {report.reason}"
        return
    if not report.groups:
        return
    if len(report.groups) > _ROWS:
        yield f"  {len(report.groups) - _ROWS:,} more images: -o csv has all"
    tags = f"{report.tags:,} tags together free" if report.tags > 1 else "1 tag frees"
    yield (
        f"  {tags} {size(freed.freed_bytes)} of {size(report.stored_bytes)} that the "
        f"repository stores: {plural(len(freed.manifests), 'manifest')}, "
        f"{plural(freed.blobs, 'blob')} that nothing else in {report.storage_scope} "
        "refers to"
    )
    if report.reason:
        yield f"  nothing is freed: {report.reason}"
    if freed.elsewhere_bytes:
        yield f"  {size(freed.elsewhere_bytes)} stay, as other repositories hold them"
    if report.left_behind:
        count = plural(len(report.left_behind), "tag")
        yield (
            f"  {count} of signatures or referrers of these images stay: "
            f"{', '.join([*report.left_behind][:_NAMED])}"
        )
    yield f"  {found.kind}: {found.collector.removes}"
    yield f"  not seen, so not counted: {found.collector.unseen}"
    if found.unseen:
        count = plural(found.unseen, "repository", "repositories")
        yield (
            f"  {count} of {report.registry} were not seen whole: what they share with "
            "this is freed only if they do not hold it"
        )


def commands(found: Reclaimed) -> str:
    """The commands by which a person deletes what the report says.

    Raises WeighbridgeError(reclaim_unknown) where the report says nothing.
    """
    report, freed = found.report, found.report.freed
    if freed is None:
        raise WeighbridgeError(
            f"nothing is known of {report.registry}/{report.repository}: "
            f"{report.reason}",
            code="reclaim_unknown",
            hint="again after a crawl that sees all of it",
        )
    named = {group.digest: group.tags for group in report.groups}
    gone = frozenset(freed.manifests)
    deletion = Deletion(
        url=found.url,
        host=urlsplit(found.url).netloc,
        repository=report.repository,
        untagged=_right(
            tag
            for group in report.groups
            if group.digest not in gone
            for tag in group.tags
        ),
        manifests=[
            UnneededManifest(digest, _right(named.get(digest, ())))
            for digest in freed.manifests
        ],
    )
    head = (
        f"# {plural(report.tags, 'tag')} of {report.registry}/{report.repository}, as"
        f" counted at {minute(found.now)} UTC: {freed.freed_bytes:,} bytes are freed"
    )
    since = "# a tag that came to one of these images since then goes with it"
    return "\n".join([head, since, *found.collector.commands(deletion)])


def _right(tags: "Iterator[str] | Sequence[str]") -> list[str]:
    """No name that is none ends up in a command, whatever a database holds."""
    return [tag for tag in tags if is_tag(tag)]
