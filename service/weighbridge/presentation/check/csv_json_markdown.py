"""A check for other programs, as JSON and CSV, and as Markdown.

Markdown is for a comment on a pull request, and a job's summary. A forge renders it
beside the names of people who can be called, so nothing of a stranger stands outside of
a code span.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from weighbridge import __version__
from weighbridge.domain.check.image_check import (
    CheckedImage,
    Held,
    ImageCheck,
    Outcome,
    by_outcome,
)
from weighbridge.domain.growth.cause import cause_json
from weighbridge.domain.image.digest import short
from weighbridge.domain.policy.policy import LIMIT_KEYS
from weighbridge.domain.policy.quantity import QUANTITIES, Quantity
from weighbridge.domain.size.weighing import WeighedImage, doubts_of, rfc3339
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes, format_duration
from weighbridge.presentation.check.blamed_lines import (
    SHOWN,
    BlamedLines,
    Mark,
    heaviest,
    next_steps,
    pointings,
)
from weighbridge.presentation.check.findings import limit_rows, notes_of
from weighbridge.presentation.forms.csv_json_markdown import (
    code,
    code_span,
    csv_table,
    json_text,
    markdown_table,
)
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.forms.screen import bar
from weighbridge.presentation.rows.policy_rows import written_at, written_value

SCHEMA: Final = "weighbridge.check/1"
CSV_COLUMNS: Final = (
    "limit",
    "outcome",
    "platform",
    "amount",
    "limit_amount",
    "excess",
    "policy",
    "waived_until",
    "digest",
    "compressed_bytes",
    "compressed_confidence",
    "claimed_bytes",
    "line",
)


def check_json(check: ImageCheck, exit_code: int) -> str:
    """The stable object of schema `weighbridge.check/1`; unknown is null."""
    weighing, against = check.weighing, check.against
    whole = {
        "schema": SCHEMA,
        "reference": weighing.reference,
        "registry": weighing.registry,
        "repository": weighing.repository,
        "tag": weighing.tag,
        "digest": weighing.digest,
        "against": None
        if against is None
        else {"reference": against.reference, "digest": against.digest},
        "outcome": check.outcome,
        "exit_code": exit_code,
        "limits": list(_set_limits(check)),
        "images": [_image(checked) for checked in check.images],
        "not_weighed": [str(platform) for platform in check.not_weighed],
        "not_in_against": [str(platform) for platform in check.not_before],
        "only_in_against": [str(platform) for platform in check.missing],
        "notes": notes_of(check),
        "cost": None
        if weighing.cost is None
        else {
            "requests": weighing.cost.requests,
            "bytes_read": weighing.cost.bytes_read,
            "seconds": round(weighing.cost.seconds, 3),
        },
        "warnings": list(weighing.warnings),
    }
    return json_text(whole)


def check_csv(check: ImageCheck) -> str:
    """A row for each limit of each image."""
    rows = (
        _on_one_line({"platform": str(checked.image.platform), **_held(held)})
        | {"digest": checked.image.digest, **_compressed(checked.image)}
        | {"line": printable(_line(checked, held))}
        for checked in check.images
        for held in checked.held
    )
    return csv_table(CSV_COLUMNS, rows)


def _on_one_line(row: Mapping[str, object]) -> dict[str, object]:
    """A row is a line: whoever reads a log takes what begins one for a command."""
    return {
        key: printable(value) if isinstance(value, str) else value
        for key, value in row.items()
    }


def _set_limits(check: ImageCheck) -> Iterator[dict[str, object]]:
    """Those that are set, each with who set it."""
    keys = {*LIMIT_KEYS, "min_growth"}
    for decided in check.rules.decided:
        if decided.key not in keys or decided.value is None or decided.policy is None:
            continue
        until = {str(key): moment for key, moment in check.rules.waived.items()}
        yield {
            "limit": decided.key,
            "value": written_value(decided),
            "policy": decided.policy.name,
            **written_at(decided),
            "waived_until": rfc3339(until.get(decided.key)),
        }


def _image(checked: CheckedImage) -> dict[str, object]:
    image, before = checked.image, checked.before
    size = image.uncompressed
    quantity = checked.quantities[0]
    cause = checked.cause(quantity)
    return {
        "platform": str(image.platform),
        "digest": image.digest,
        "outcome": checked.outcome,
        **_compressed(image),
        "uncompressed_bytes": size.uncompressed_bytes,
        "uncompressed_confidence": size.confidence,
        "uncompressed_low_bytes": size.low_bytes,
        "uncompressed_high_bytes": size.high_bytes,
        "layers": len(image.layers),
        "before": None
        if before is None
        else {"digest": before.digest, "compressed_bytes": before.compressed_bytes},
        "baseline_compressed_bytes": checked.baseline_compressed_bytes,
        "grown_bytes": checked.grown_bytes,
        "findings": [
            {**_held(held), "line": _line(checked, held) or None}
            for held in checked.held
        ],
        "heaviest": [
            {
                "line": row.number,
                "instruction": row.text,
                "compressed_bytes": row.compressed_bytes,
                "uncompressed_bytes": None
                if row.uncompressed is None
                else row.uncompressed.uncompressed_bytes,
            }
            for _, row in heaviest(image, quantity)[:SHOWN]
        ],
        "cause": None if cause is None else cause_json(cause),
    }


def _line(checked: CheckedImage, held: Held) -> str:
    """The line that did most of what this limit counts; "" where it is kept."""
    if held.outcome == "pass":
        return ""
    quantity = QUANTITIES.get(held.finding.key)
    if quantity is None:
        return ""  # No line has a part of it.
    if (cause := checked.cause(quantity)) is not None:
        return "" if cause.heaviest is None else cause.heaviest.instruction
    rows = heaviest(checked.image, quantity)
    return rows[0][1].text if rows and rows[0][0] is not None else ""


def _held(held: Held) -> dict[str, object]:
    finding = held.finding
    return {
        "limit": finding.key,
        "outcome": held.outcome,
        "keeping": finding.keeping,
        "amount": finding.amount,
        "limit_amount": held.limit_amount,
        "excess": None if finding.amount is None else finding.excess,
        "policy": None if held.policy is None else held.policy.name,
        "waived_until": rfc3339(held.waived_until),
        "claimed": held.is_claimed,
    }


def _compressed(image: WeighedImage) -> dict[str, object]:
    """What it is judged by, whose word that is, and what the manifest says."""
    return {
        "compressed_bytes": image.compressed_bytes,
        "compressed_confidence": image.compressed_confidence,
        "claimed_bytes": image.claimed_bytes,
    }


MARKER: Final = "<!-- weighbridge check -->"
"""The first line: by it a job finds the comment that it wrote before."""
CHARACTERS: Final = 60_000
"""A comment on GitHub has 65,536 at most, and a summary a mebibyte."""

_TEXT: Final = 200
_IMAGES: Final = 40
_WITH_LINES: Final = 4
_BAR: Final = 10
_HEADINGS: Final[dict[Outcome, str]] = {
    "pass": "✅ Within its limits",
    "warn": "⚠️ Within its limits, with a warning",
    "unknown": "❔ Cannot be judged",
    "fail": "❌ Over its limits",
}
_SIGNS: Final[dict[Outcome, str]] = {
    "pass": "✅ fine",
    "warn": "⚠️ warning",
    "unknown": "❔ unknown",
    "fail": "❌ over",
}
_MARKS: Final[dict[Mark, str]] = {
    "added": "added",
    "removed": "removed",
    "same text": "changed",
    "line": "",
}
_LIMIT_COLUMNS: Final = ("", "Platform", "Limit", "Value", "At most", "", "")
_LINE_COLUMNS: Final = ("#", "Dockerfile line")
_CHANGE_COLUMNS: Final = ("#", "", "Dockerfile line")
_AMOUNTS: Final[dict[Quantity, str]] = {
    "compressed_bytes": "Compressed",
    "uncompressed_bytes": "On disk",
    "layers": "Layers",
    "layer_compressed_bytes": "Compressed, one layer",
    "deduplicated_bytes": "Stored",
}


def check_markdown(check: ImageCheck, *, iec: bool = False) -> str:
    """Everything, without the last line break; at most `CHARACTERS` long."""
    parts = _parts(check, iec)
    whole = "\n\n".join(parts)
    return whole if len(whole) <= CHARACTERS else _shorter(parts)


def _parts(check: ImageCheck, iec: bool) -> list[str]:
    images = by_outcome(check.images)
    return [
        f"{MARKER}\n### {_HEADINGS[check.outcome]}",
        f"{_span(check.weighing.reference)} ({short(check.weighing.digest)})",
        _limits(check, images, iec),
        *_lines(check, images, iec),
        *_list([f"Warning: {doubt}" for doubt in doubts_of(check.weighing.images)]),
        *_list([f"Note: {note}" for note in notes_of(check, _span)]),
        *_list([_sentence(step) for step in next_steps(check, _span)]),
        _foot(check, iec),
    ]


def _limits(check: ImageCheck, images: list[CheckedImage], iec: bool) -> str:
    rows = [
        (
            _SIGNS[row.outcome],
            _cell(str(checked.image.platform)),
            row.name,
            _unbroken(row.value),
            _unbroken(row.limit),
            _unbroken(f"{bar(row.part, row.whole, _BAR)} {row.percent}".strip()),
            row.words,
        )
        for checked in images[:_IMAGES]
        for row in limit_rows(check, checked, _cell, iec=iec)
    ]
    rows += [
        (_SIGNS["unknown"], _cell(str(each)), "", "", "", "", "could not be read")
        for each in check.not_weighed[:_IMAGES]
    ]
    more = len(images[_IMAGES:]) + len(check.not_weighed[_IMAGES:])
    below = f"\n\n… and {plural(more, 'more platform')}" if more else ""
    return markdown_table(_LIMIT_COLUMNS, rows) + below


def _lines(check: ImageCheck, images: list[CheckedImage], iec: bool) -> Iterator[str]:
    for checked in images[:_WITH_LINES]:
        titles = pointings(check, checked, _span)
        platform = _span(str(checked.image.platform))
        for pointed, title in zip(
            pointings(check, checked, _cell), titles, strict=True
        ):
            yield f"{platform}: {title.title}"
            if pointed.lines:
                more = pointed.more
                below = f"\n\n… and {plural(more, 'more line')}" if more else ""
                yield _table_of(pointed, iec) + below


def _table_of(pointed: BlamedLines, iec: bool) -> str:
    """With what became of each line, where that is known."""
    cells = [
        (
            _unbroken(line.cell(iec=iec)),
            str(line.number or ""),
            _MARKS[line.mark],
            line.text,
        )
        for line in pointed.lines
    ]
    head = _AMOUNTS[pointed.quantity]
    if any(mark for _, _, mark, _ in cells):
        return markdown_table((head, *_CHANGE_COLUMNS), cells, numeric=range(2))
    bare = [(amount, number, text) for amount, number, _, text in cells]
    return markdown_table((head, *_LINE_COLUMNS), bare, numeric=range(2))


def _list(items: list[str]) -> list[str]:
    return ["\n".join(f"- {item}" for item in items)] if items else []


def _foot(check: ImageCheck, iec: bool) -> str:
    said = f"weighbridge {__version__}"
    if (cost := check.weighing.cost) is None:
        return said
    read = format_bytes(cost.bytes_read, iec=iec)
    requests, took = plural(cost.requests, "request"), format_duration(cost.seconds)
    return f"{said}: {requests}, {read} read, {took}"


def _shorter(parts: list[str]) -> str:
    """The parts that fit, whole ones only: half a table would be no table."""
    kept: list[str] = []
    for part in parts:
        if sum(map(len, kept)) + 2 * len(kept) + len(part) > CHARACTERS:
            kept.append("… the rest is in the job's log")
            break
        kept.append(part)
    return "\n\n".join(kept)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _unbroken(text: str) -> str:
    """A number and its unit stay together, however narrow the column is."""
    return text.replace(" ", "\u00a0")


def _cell(text: str) -> str:
    return code(printable(text, _TEXT))


def _span(text: str) -> str:
    return code_span(printable(text, _TEXT))
