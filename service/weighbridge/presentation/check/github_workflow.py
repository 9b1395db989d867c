"""A check in a workflow of GitHub: annotations, and the summary of the job.

The runner reads every line that is printed, and these are commands to it. No stranger's
text may ever look like one (`presentation.forms.runner_commands`).
"""

from collections.abc import Iterator
from typing import Final

from weighbridge.domain.check.image_check import ImageCheck, Outcome, by_outcome
from weighbridge.domain.growth.quantity import QUANTITIES
from weighbridge.domain.size.weighing import doubts_of
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.check.blamed_lines import (
    in_one_line,
    next_steps,
    pointing,
)
from weighbridge.presentation.check.findings import LimitRow, limit_rows
from weighbridge.presentation.check.notes import notes_of
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
                quantity = QUANTITIES[held.finding.key]
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
