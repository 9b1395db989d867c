"""What a crawl prints when it ends."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec.structs import replace

from weighbridge.cli.process.failure import advice
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes, format_duration
from weighbridge.engine.crawl_requests.crawl_report import (
    CrawlFault,
    CrawlReport,
    RegistryCrawl,
    as_json,
)
from weighbridge.presentation.forms.csv_json_markdown import code, json_text
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.store.crawls.crawled_repositories import Troubled

_COLUMNS: Final = (
    "name",
    "url",
    "state",
    "reason",
    "repositories",
    "complete",
    "partial",
    "failed",
    "tags",
    "images",
    "requests",
    "bytes_read",
    "weighed_bytes",
)
_SHOWN: Final = 20
"""Repositories, and faults of one cause, on a terminal."""
_KEPT: Final = "nothing was crawled; what was known is kept"


def printed(report: CrawlReport, output: Output, screen: Screen, now: datetime) -> str:
    """For programs a row a registry, in JSON everything."""
    if output == "json":
        return json_text(as_json(report))
    if output == "csv":
        return _registries(screen).csv(report.registries)
    if output == "markdown":
        return _markdown(report, screen, now)
    return _text(report, screen, now)


def _markdown(report: CrawlReport, screen: Screen, now: datetime) -> str:
    """A table with a row a registry; below it the repositories that were not seen
    whole, and what was not weighed."""
    table = _registries(screen).markdown(report.registries)
    faults = [f"- {code(_subject(f))}: {code(_why(f))}" for f in report.errors]
    parts = [table, _not_ok_markdown(report, now), "\n".join(faults)]
    return "\n\n".join(filter(None, parts))


def _registries(screen: Screen) -> Table[RegistryCrawl]:
    def size(number: int) -> str:
        return format_bytes(number, iec=screen.iec)

    return Table(
        columns=(
            Column("Repositories", lambda one: f"{one.repositories:,}", "number"),
            Column("Tags", lambda one: f"{one.tags:,}", "number"),
            Column("Images", lambda one: f"{one.images:,}", "number"),
            Column("Read", lambda one: size(one.bytes_read), "number"),
            Column("Weighed", lambda one: size(one.weighed_bytes), "number"),
            Column("Registry", lambda one: one.name, "name"),
            Column(
                "State",
                lambda one: (
                    f"{_state(one)}; {_KEPT}" if _is_unseen(one) else _state(one)
                ),
                "words",
            ),
        ),
        keys=_COLUMNS,
    )


def _text(report: CrawlReport, screen: Screen, now: datetime) -> str:
    """A line a registry; below it the repositories that were not seen whole, and
    what was not weighed and why."""
    lines: list[str] = []
    is_alone = len(report.registries) == 1
    for registry in report.registries:
        seconds = report.seconds if is_alone else None
        lines.append(_registry_line(registry, screen, seconds))
        lines += _held_lines(registry, screen)
        if found := _not_ok([registry]):
            table = _not_ok_table(now).lines(found, screen, margin=2)
            lines += [*table.head, *table.rows, *_more([registry])]
            if table.note:
                lines.append(screen.wrapped(f"  {table.note}"))
        lines += _not_weighed(registry.faults, screen)
    if not is_alone:
        lines.append(_total_line(report, screen))
    return "\n".join(lines)


def warnings_of(report: CrawlReport) -> list[str]:
    """What was odd but stopped nothing, one printable sentence each; for stderr."""
    return [
        printable(f"{registry.name}: {warning}")
        for registry in report.registries
        for warning in registry.warnings
    ]


def _not_ok_markdown(report: CrawlReport, now: datetime) -> str:
    if not (found := _not_ok(report.registries)):
        return ""
    # A line right below a table would be a row of it (GFM 4.10).
    parts = [_not_ok_table(now).markdown(found), "\n".join(_more(report.registries))]
    return "\n\n".join(filter(None, parts))


class _NotOk(NamedTuple):
    registry: str
    troubled: Troubled


def _not_ok(registries: Sequence[RegistryCrawl]) -> list[_NotOk]:
    """Repositories that were not seen whole, of each registry the worst."""
    return [
        _NotOk(registry.name, troubled)
        for registry in registries
        for troubled in registry.troubled[:_SHOWN]
    ]


def _more(registries: Sequence[RegistryCrawl]) -> list[str]:
    """How many more there are, if there are."""
    counts = [len(registry.troubled) - _SHOWN for registry in registries]
    return [f"  and {n:,} more (-o json lists them)" for n in counts if n > 0]


def _not_ok_table(now: datetime) -> Table[_NotOk]:
    return Table(
        columns=(
            Column("Last full crawl", lambda one: _age(one.troubled, now), "words"),
            Column("State", lambda one: one.troubled.state, "words", rank=2),
            Column("Why", lambda one: _reason(one.troubled), rank=1),
            Column(
                "Repository",
                lambda one: f"{one.registry}/{one.troubled.repository}",
                "name",
            ),
        )
    )


def _reason(item: Troubled) -> str:
    return "" if item.reason == item.state else item.reason


def _age(item: Troubled, now: datetime) -> str:
    if item.last_complete_crawl_at is None:
        return "never"
    seconds = (now - item.last_complete_crawl_at).total_seconds()
    return f"{format_duration(max(0.0, seconds))} ago"


def _held_lines(registry: RegistryCrawl, screen: Screen) -> list[str]:
    """What is missing all at once and is not believed yet."""
    if not registry.held:
        return []
    text = (
        f"  held   {plural(registry.held, 'repository', 'repositories')} are missing "
        "at once and stay until a second crawl agrees (removals_held)"
    )
    return [screen.wrapped(text)]


def _registry_line(
    registry: RegistryCrawl, screen: Screen, seconds: float | None
) -> str:
    return screen.joined(
        [
            printable(registry.name),
            screen.painted(_state(registry), None if _is_well(registry) else "over"),
            *_counts(registry, screen),
            format_duration(seconds) if seconds is not None else "",
        ]
    )


def _counts(registry: RegistryCrawl, screen: Screen) -> list[str]:
    """What was seen and weighed; zeros would look as if all of it were gone."""
    requests = plural(registry.requests, "request")
    if _is_unseen(registry):
        return [_KEPT, requests]
    failed = sum(fault.tag is not None for fault in registry.faults)
    return [
        plural(registry.repositories, "repository", "repositories"),
        plural(registry.tags, "tag"),
        plural(registry.images, "image"),
        f"{plural(failed, 'tag')} not weighed" if failed else "",
        f"{registry.taken_over:,} crawled before" if registry.taken_over else "",
        requests,
        f"{format_bytes(registry.bytes_read, iec=screen.iec)} read",
        f"{format_bytes(registry.weighed_bytes, iec=screen.iec)} weighed",
    ]


def _is_unseen(registry: RegistryCrawl) -> bool:
    return registry.state != "ok" and not registry.repositories


def _total_line(report: CrawlReport, screen: Screen) -> str:
    registries = report.registries
    read = sum(registry.bytes_read for registry in registries)
    weighed = sum(registry.weighed_bytes for registry in registries)
    return screen.joined(
        [
            f"in all {plural(len(registries), 'registry', 'registries')}",
            plural(sum(r.tags for r in registries), "tag"),
            plural(sum(r.requests for r in registries), "request"),
            f"{format_bytes(read, iec=screen.iec)} read",
            f"{format_bytes(weighed, iec=screen.iec)} weighed",
            format_duration(report.seconds),
        ]
    )


def _is_well(registry: RegistryCrawl) -> bool:
    return registry.state == "ok" and not registry.partial and not registry.failed


def _state(registry: RegistryCrawl) -> str:
    """`complete`, or in what way it is not."""
    if registry.state != "ok":
        reason = printable(registry.reason)
        has_reason = reason and reason != registry.state
        return f"{registry.state} ({reason})" if has_reason else registry.state
    parts = [
        f"{count} {word}"
        for count, word in ((registry.partial, "partial"), (registry.failed, "failed"))
        if count
    ]
    return ", ".join(parts) if parts else "complete"


def _not_weighed(faults: Sequence[CrawlFault], screen: Screen) -> list[str]:
    """Faults of one cause on one line: `not weighed: a:1, b:2 (the cause)`; what may
    help below those of one kind."""
    by_cause: dict[tuple[str, str], list[CrawlFault]] = {}
    for fault in faults:
        by_cause.setdefault((fault.code, _cause(fault)), []).append(fault)
    lines: list[str] = []
    kinds = [kind for kind, _ in by_cause]
    for number, ((kind, cause), alike) in enumerate(by_cause.items(), start=1):
        subjects = [_subject(fault) for fault in alike]
        why = cause if len(alike) > 1 else _why(alike[0])
        lines.append(
            screen.wrapped(f"  not weighed: {_listed(subjects, screen)} ({why})")
        )
        if kind not in kinds[number:] and (hint := _hint(alike)):
            lines.append(screen.wrapped(f"  try    {hint}"))
    return lines


def _hint(faults: Sequence[CrawlFault]) -> str:
    """What may help against faults of one cause."""
    return printable(faults[0].hint) or advice(faults[0].code)


def _listed(subjects: Sequence[str], screen: Screen) -> str:
    """All of them where nothing is ever cut; a screenful on a terminal."""
    limit = len(subjects) if screen.width is None else _SHOWN
    return ", ".join(_some(subjects, limit))


def _some(subjects: Sequence[str], limit: int) -> Iterable[str]:
    yield from subjects[:limit]
    if len(subjects) > limit:
        yield f"and {len(subjects) - limit:,} more (-o json lists them)"


def _subject(fault: CrawlFault) -> str:
    if fault.repository is None:
        return printable(fault.registry)
    tag = f":{fault.tag}" if fault.tag is not None else ""
    return printable(f"{fault.repository}{tag}")


def _cause(fault: CrawlFault) -> str:
    """Why, in the words that faults alike have in common: the address of a manifest
    as the distribution-spec writes it."""
    message = fault.message
    if fault.repository is not None:
        message = message.replace(f"/v2/{fault.repository}/", "/v2/<name>/")
    if fault.tag is not None:
        message = message.replace(f"/manifests/{fault.tag} ", "/manifests/<reference> ")
    return _why(replace(fault, message=message))


def _why(fault: CrawlFault) -> str:
    message = printable(fault.message)
    return f"{fault.code}: {message}" if message else fault.code
