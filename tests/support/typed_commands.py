"""What is typed in the examples of pages, and what a terminal then shows."""

import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Final

import pytest

from weighbridge.cli.main import run
from weighbridge.presentation.forms.screen import columns

PROMPT: Final = "$ "
EXIT_CODE: Final = "echo $?"
_WIDTHS: Final = (80, 100)
"""Of the terminals that the pages show."""
_OF_THE_MOMENT: Final = (
    (r"\b\d{8}T\d{6}Z", "TIME"),
    (r"\bwb\w_[\w-]+", "TOKEN"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z| UTC)", "MOMENT"),
    (r"\b\d+(\.\d+)? (s|min|h|d) ago\b", "AGO"),
    (r"\bin \d+ (s|min|h|d)\b", "LATER"),
    (r"\b\d+(\.\d+)? s\b", "SECONDS"),
    (r"127\.0\.0\.1:\d{4,5}, which is free", "ADDRESS, which is free"),
    (r"\bcli:\w+", "USER"),
    (r"\brevision \d{4}\b", "REVISION"),
)


@dataclass(frozen=True, slots=True)
class Typed:
    """A line after the prompt, and what the page shows below it."""

    line: str
    shown: str

    @property
    def words(self) -> list[str]:
        """The arguments of `weighbridge`."""
        name, *words = shlex.split(self.line.partition(" > ")[0])
        assert name == "weighbridge", self.line
        return words

    @property
    def width(self) -> int | None:
        """Of the narrowest usual terminal that has room; None: of none."""
        widest = max(map(columns, self.shown.splitlines()), default=0)
        return next((width for width in _WIDTHS if widest <= width), None)


def typed_in(text: str) -> list[Typed]:
    """The commands of a block of `console`, with their output."""
    _, *parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert text.startswith(PROMPT)
    return [Typed(*part.partition("\n")[::2]) for part in parts]


class _Stream(io.StringIO):
    """Adds to what is shown."""

    def __init__(self, shown: list[str], *, is_terminal: bool) -> None:
        super().__init__()
        self._shown = shown
        self._is_terminal = is_terminal

    @property
    def encoding(self) -> str:  # type: ignore[override] # StringIO has none
        return "utf-8"

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        written = super().write(text)  # bytes are refused
        self._shown.append(text)
        return written


@dataclass(frozen=True, slots=True)
class Shown:
    text: str
    exit_code: int


def shown_by(typed: Typed) -> Shown:
    """Run it in this process; stdout is a terminal of its width, stderr is none, so
    that no moving block is drawn."""
    parts: list[str] = []
    unseen: list[str] = []
    to = unseen if " > " in typed.line else parts  # > FILE
    out = _Stream(to, is_terminal=typed.width is not None)
    error = _Stream(parts, is_terminal=False)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
        patch.setenv("COLUMNS", str(typed.width))
        patch.setenv("NO_COLOR", "1")
        with redirect_stderr(error):
            code = run(typed.words)
    return Shown("".join(parts), code)


def comparable(text: str, other: str) -> tuple[str, str]:
    """Both as they are; where one has a moment, a duration, a secret or a version in
    it, without these and without the spaces that belong to their width."""
    plain, other_plain = _without_moments(text), _without_moments(other)
    return (text, other) if plain == text else (plain, other_plain)


def _without_moments(text: str) -> str:
    masked = text
    for pattern, name in _OF_THE_MOMENT:
        masked = re.sub(pattern, name, masked)
    if masked == text:
        return text
    return _narrow(masked)


def _narrow(text: str) -> str:
    return re.sub(r"(?<=\S) +", " ", text)


def lines_found(shown: str, printed: str) -> Iterator[str]:
    """Of an example with `...` for lines that are left out: those that were not
    printed in this order."""
    rest = _narrow(printed).splitlines()
    for line in _narrow(shown).splitlines():
        if line == "...":
            continue
        if line in rest:
            rest = rest[rest.index(line) + 1 :]
        else:
            yield line
