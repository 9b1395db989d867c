"""What text may look like where it is printed: width, glyphs, colours, units."""

import shutil
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TextIO, TypeAlias

from msgspec import Struct

Role: TypeAlias = Literal["own", "heaviest", "over", "shared"]

Output: TypeAlias = Literal["table", "json", "csv", "markdown", "github"]
"""`github` is what `check` alone prints: the commands of a workflow's log."""

COLOURS: Final[Mapping[Role, int]] = {"own": 4, "heaviest": 3, "over": 1, "shared": 2}
"""Numbers of the eight that every terminal has: blue, yellow, red, green."""
_ALL_GLYPHS: Final = "█▏▎▍▌▋▊▉▒◆·─…±≈≠\N{MINUS SIGN}"


class Screen(Struct, frozen=True):
    """How to write for one stream.

    width:  columns of the terminal; None where nothing is ever cut
    ascii:  letters and signs in place of blocks and lines
    colour: whether escape sequences are understood and wanted
    iec:    KiB, MiB, GiB in place of kB, MB, GB
    """

    width: int | None = None
    ascii: bool = False
    colour: bool = False
    iec: bool = False

    @property
    def heaviest(self) -> str:
        return "*" if self.ascii else "◆"

    @property
    def no_layer(self) -> str:
        return "." if self.ascii else "·"

    @property
    def rule(self) -> str:
        return "-" if self.ascii else "─"

    @property
    def ellipsis(self) -> str:
        return "..." if self.ascii else "…"

    def painted(self, text: str, role: Role | None) -> str:
        """The text in a role's colour, where there are colours."""
        if role is None or not self.colour or not text.strip():
            return text
        return f"\x1b[3{COLOURS[role]}m{text}\x1b[0m"

    def cut(self, text: str, used: int = 0) -> str:
        """The words that fit behind `used` columns, with an ellipsis for the rest."""
        return text if self.width is None else self.cut_to(text, self.width - used)

    def cut_to(self, text: str, room: int) -> str:
        """The words that fit into so many columns, with an ellipsis for the rest."""
        if columns(text) <= room:
            return text
        room -= columns(self.ellipsis) + 1
        kept: list[str] = []
        for word in text.split(" "):
            room -= columns(word) + (1 if kept else 0)
            if room < 0:
                break
            kept.append(word)
        if kept and kept[-1] == self.ellipsis:
            kept.pop()
        return " ".join([*kept, self.ellipsis])

    def end_of(self, text: str, room: int) -> str:
        """The end of a name that has no room: that is where names differ."""
        if columns(text) <= room:
            return text
        while columns(text) > max(room - columns(self.ellipsis), 0):
            text = text[1:]
        return self.ellipsis + text

    def wrapped(self, text: str) -> str:
        """A sentence over as many lines as it needs, broken between words."""
        if self.width is None:
            return text
        return textwrap.fill(
            text,
            width=max(self.width, 20),
            break_long_words=False,
            break_on_hyphens=False,
        )

    def joined(self, parts: Iterable[str]) -> str:
        """Parts on one line, three spaces apart; over several where they must."""
        lines = [""]
        for part in (part for part in parts if part):
            longer = f"{lines[-1]}   {part}" if lines[-1] else part
            if self.width is None or not lines[-1] or columns(longer) <= self.width:
                lines[-1] = longer
            else:
                lines.append(part)
        return "\n".join(lines)


def screen_of(
    stream: TextIO,
    environ: Mapping[str, str],
    *,
    wants_ascii: bool = False,
    iec: bool = False,
) -> Screen:
    """What this stream can show. NO_COLOR is obeyed (no-color.org)."""
    is_terminal = stream.isatty()
    has_colours = is_terminal and environ.get("TERM", "dumb") != "dumb"
    return Screen(
        width=shutil.get_terminal_size().columns if is_terminal else None,
        ascii=wants_ascii or not _can_write(stream.encoding, _ALL_GLYPHS),
        colour=has_colours and not environ.get("NO_COLOR"),
        iec=iec,
    )


def columns(text: str) -> int:
    """How many columns a terminal needs for it (Unicode TR 11: wide ones need two).

    The text has no control characters: `domain.text.printable` has been over it.
    """
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def _can_write(encoding: str | None, text: str) -> bool:
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_FULL: Final = "█"


def bar(part: int, whole: int, cells: int, *, ascii: bool = False) -> str:
    """`part` of `whole` on a scale of so many cells; something is never nothing."""
    if part <= 0 or whole <= 0:
        return ""
    part = min(part, whole)
    if ascii:
        return "#" * max(1, (2 * part * cells + whole) // (2 * whole))
    eighths = max(1, (2 * part * cells * 8 + whole) // (2 * whole))
    full, rest = divmod(eighths, 8)
    return _FULL * full + (_EIGHTHS[rest] if rest else "")
