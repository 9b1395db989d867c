"""What a crawl prints when it ends."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from weighbridge.cli.output.not_ok_table import more_line, not_ok_lines, not_ok_rows
from weighbridge.cli.process.advice import advice
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes, format_duration
from weighbridge.engine.crawl_requests.crawl_report import (
    CrawlFault,
    CrawlReport,
    RegistryCrawl,
    as_json,
)
from weighbridge.presentation.forms.screen import Screen
from weighbridge.presentation.forms.tables import (
    code,
    csv_table,
    json_text,
    markdown_table,
)
from weighbridge.presentation.image.image_words import plural

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
_FAULTS_SHOWN: Final = 20
_KEPT: Final = "nothing was crawled; what was known is kept"


def crawl_json(report: CrawlReport) -> str:
    """The object that `crawl -o json` ends with."""
    return json_text(as_json(report))


def crawl_csv(report: CrawlReport) -> str:
    """A row a registry."""
    return csv_table(
        _COLUMNS,
        (
            {column: getattr(registry, column) for column in _COLUMNS}
            for registry in report.registries
        ),
    )


def crawl_markdown(report: CrawlReport, screen: Screen, now: datetime) -> str:
    """A table with a row a registry; below it the repositories that were not seen
    whole, and what was not weighed."""
    heads = ("Repositories", "Tags", "Images", "Read", "Weighed", "Registry", "State")
    rows = [
        (
            f"{registry.repositories:,}",
            f"{registry.tags:,}",
            f"{registry.images:,}",
            format_bytes(registry.bytes_read, iec=screen.iec),
            format_bytes(registry.weighed_bytes, iec=screen.iec),
            code(printable(registry.name)),
            f"{_state(registry)}; {_KEPT}"
            if _is_unseen(registry)
            else _state(registry),
        )
        for registry in report.registries
    ]
    faults = [f"- {code(_subject(f))}: {code(_why(f))}" for f in report.errors]
    table = markdown_table(heads, rows, numeric=5)
    parts = [table, _not_ok_markdown(report, now), "\n".join(faults)]
    return "\n\n".join(part for part in parts if part)


def render_crawl(report: CrawlReport, screen: Screen, now: datetime) -> str:
    """A line a registry; below it the repositories that were not seen whole, and
    what was not weighed and why."""
    lines: list[str] = []
    is_alone = len(report.registries) == 1
    for registry in report.registries:
        seconds = report.seconds if is_alone else None
        lines.append(_registry_line(registry, screen, seconds))
        lines += _held_lines(registry, screen)
        lines += not_ok_lines(registry.troubled, screen, now)
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
    rows = [
        (age, state, code(reason), code(f"{printable(registry.name)}/{name}"))
        for registry in report.registries
        for state, reason, age, name in not_ok_rows(registry.troubled, now)
    ]
    if not rows:
        return ""
    heads = ("Last full crawl", "State", "Why", "Repository")
    more = [line for r in report.registries for line in more_line(r.troubled)]
    return "\n".join([markdown_table(heads, rows), *more])


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
    limit = len(subjects) if screen.width is None else _FAULTS_SHOWN
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
