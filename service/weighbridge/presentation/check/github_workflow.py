"""A check in a workflow of GitHub: annotations, the line of a Dockerfile that they
stand at, and the summary of the job.

The runner reads every line that is printed, and these are commands to it. No stranger's
text may ever look like one (`presentation.forms.runner_commands`).
"""

import re
from collections.abc import Iterator
from typing import Final

from weighbridge.domain.check.image_check import ImageCheck, Outcome, by_outcome
from weighbridge.domain.policy.quantity import QUANTITIES, line_amount
from weighbridge.domain.size.weighing import doubts_of
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.check.blamed_lines import (
    in_one_line,
    next_steps,
    pointing,
)
from weighbridge.presentation.check.findings import LimitRow, limit_rows, notes_of
from weighbridge.presentation.forms.runner_commands import defused_words

_TEXT: Final = 300
_PLATFORMS: Final = 10
_COMMANDS: Final[dict[Outcome, str]] = {
    "pass": "notice",
    "warn": "warning",
    "unknown": "error",
    "fail": "error",
}
_WORDS: Final[dict[Outcome, str]] = {
    "pass": "within its limits",
    "warn": "a limit may be exceeded",
    "unknown": "cannot be judged",
    "fail": "over its limit",
}


def annotations(check: ImageCheck, *, place: str = "", iec: bool = False) -> list[str]:
    """A workflow command for each limit that is not kept; one notice if all are.

    GitHub shows ten of a kind for a step: a limit is told once for all platforms.
    place: further properties, see `at_line`
    """
    found = list(_of_limits(check, place, iec))
    if check.not_weighed:
        names = ", ".join(printable(str(each)) for each in check.not_weighed)
        found.append(command("error", f"{_name(check)} could not be read", names))
    if not found:
        found.append(
            command("notice", f"{_name(check)} {_WORDS['pass']}", _all(check, iec))
        )
    doubts = doubts_of(check.weighing.images)
    if doubts:
        title = f"{_name(check)}: sizes in the manifest"
        found.append(command("warning", title, "\n".join(doubts)))
    return found + [command("notice", _name(check), note) for note in notes_of(check)]


def command(kind: str, title: str, text: str, properties: str = "") -> str:
    """`::error title=...::...`, on one line whatever it is made of.

    Escaped as the runner unescapes it (actions/toolkit, core/src/command.ts).
    """
    given = f"title={property_value(title)}{properties}"
    return f"::{kind} {given}::{defused_words(_data(text))}"


def property_value(text: str) -> str:
    """A value between the commas of a command's properties."""
    return defused_words(_data(text)).replace(":", "%3A").replace(",", "%2C")


def at_line(file: str, line: int) -> str:
    """Properties that put an annotation beside a line of the repository."""
    return f",file={property_value(file)},line={line}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _of_limits(check: ImageCheck, place: str, iec: bool) -> Iterator[str]:
    rows: dict[tuple[str, Outcome], list[tuple[str, LimitRow, str]]] = {}
    for checked in by_outcome(check.images):
        platform = printable(str(checked.image.platform))
        for row, held in zip(
            limit_rows(check, checked, iec=iec), checked.held, strict=True
        ):
            if row.outcome != "pass":
                quantity = QUANTITIES.get(held.finding.key)
                line = ""
                if quantity is not None:
                    line = in_one_line(pointing(check, checked, quantity), iec=iec)
                found = rows.setdefault((row.name, row.outcome), [])
                found.append((platform, row, line))
    steps = next_steps(check)
    for (name, outcome), several in rows.items():
        title = f"{_name(check)}: {name} {_WORDS[outcome]}"
        told = [_told(*each) for each in several[:_PLATFORMS]]
        if more := len(several[_PLATFORMS:]):
            told.append(f"and {more} more platforms")
        text = "\n".join([*told, *(steps if outcome != "warn" else [])])
        yield command(_COMMANDS[outcome], title, text, place)


def _told(platform: str, row: LimitRow, line: str) -> str:
    numbers = f"{platform}: {row.value}, limit {row.limit}"
    rest = [printable(part, _TEXT) for part in (row.words, line) if part]
    return "; ".join([numbers, *rest])


def _all(check: ImageCheck, iec: bool) -> str:
    return "\n".join(
        f"{printable(str(checked.image.platform))}: {row.name} {row.value}, "
        f"limit {row.limit}"
        for checked in check.images[:_PLATFORMS]
        for row in limit_rows(check, checked, iec=iec)
    )


def _name(check: ImageCheck) -> str:
    return printable(check.weighing.reference)


DOCKERFILE_BYTES: Final = 1024 * 1024

_SPACE: Final = re.compile(r"\s+")
_FLAGS: Final = re.compile(r"^(RUN|COPY|ADD)((?: --[a-z]+(?:=\S+)?)+) ")


def find_line(dockerfile: str, instruction: str) -> int | None:
    """The number of the line where this instruction begins, None where none says it,
    or several do."""
    wanted = _plain(instruction)
    found = [number for number, text in _instructions(dockerfile) if text == wanted]
    return found[0] if len(found) == 1 else None


def instruction_to_blame(check: ImageCheck) -> str | None:
    """The line that did most of the worst image's growth, else its heaviest one; in
    what the worst limit counts."""
    for checked in by_outcome(check.images)[:1]:
        quantity = checked.quantities[0]
        if (cause := checked.cause(quantity)) is not None:
            first = cause.heaviest
            is_one = first is not None and (first.grown_amount or 0) > 0
            return first.instruction if first is not None and is_one else None
        image = checked.image
        amounts = [
            (line_amount(image, line, quantity) or 0, line.compressed_bytes or 0, text)
            for line in image.lines
            if (text := line.instruction)
        ]
        amount, _, text = max(amounts, key=lambda found: found[:2], default=(0, 0, ""))
        return text if amount else None
    return None


def _instructions(text: str) -> Iterator[tuple[int, str]]:
    """Each instruction on one line, with the number of its first. Comments and empty
    lines inside of one are no part of it."""
    parts: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        first = first if parts else number
        parts.append(bare.removesuffix("\\"))
        if not bare.endswith("\\"):
            yield first, _plain(" ".join(parts))
            parts = []
    if parts:
        yield first, _plain(" ".join(parts))


def _plain(text: str) -> str:
    """With single spaces, its keyword in capitals, and without flags: builders do not
    record these alike."""
    keyword, _, rest = _SPACE.sub(" ", text).strip().partition(" ")
    return _FLAGS.sub(r"\1 ", f"{keyword.upper()} {rest}".strip())
