"""A check for other programs: JSON and CSV."""

from collections.abc import Iterator, Mapping
from typing import Final

from weighbridge.domain.check.image_check import CheckedImage, Held, ImageCheck
from weighbridge.domain.growth.cause import cause_json
from weighbridge.domain.growth.quantity import QUANTITIES
from weighbridge.domain.policy.policy import LIMIT_KEYS
from weighbridge.domain.size.weighing import WeighedImage, rfc3339
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.check.blamed_lines import SHOWN, heaviest
from weighbridge.presentation.check.notes import notes_of
from weighbridge.presentation.forms.csv_json_markdown import csv_table, json_text
from weighbridge.presentation.rows.limit_rows import written_at

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
        "limits": list(_limits(check)),
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


def _limits(check: ImageCheck) -> Iterator[dict[str, object]]:
    """Those that are set, each with who set it."""
    keys = {*LIMIT_KEYS, "min_growth"}
    for decided in check.rules.decided:
        if decided.key not in keys or decided.value is None or decided.policy is None:
            continue
        until = {str(key): moment for key, moment in check.rules.waived.items()}
        yield {
            "limit": decided.key,
            "value": decided.value,
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
    quantity = QUANTITIES[held.finding.key]
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
