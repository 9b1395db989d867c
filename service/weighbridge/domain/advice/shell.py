"""The commands of a RUN line, as far as a history has them.

The text is what `image_config.instruction` makes of a line: shells and build arguments
are stripped, line breaks are spaces. So where a comment or a heredoc ended is not known
any more, and neither is the end of a command that only a line break ended: what is said
of a line must hold in that case too.
"""

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

_WORD: Final = re.compile(
    r"(?P<end>&&|\|\||;;?|\||&(?!>)|\(|\))"
    r"|(?P<word>(?:\\(?s:.)|\"(?:[^\"\\]|\\(?s:.))*(?:\"|\Z)|'[^']*(?:'|\Z)"
    r"|\$\([^()\"']*\)|[^\s\\\"'&|;()]|(?<=[<>])&|&(?=>)|\\\Z)+)"
)
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=", re.ASCII)
_BEFORE: Final = frozenset(
    [
        "!",
        "{",
        "}",
        "case",
        "command",
        "do",
        "done",
        "elif",
        "else",
        "esac",
        "eval",
        "exec",
        "fi",
        "if",
        "in",
        "sudo",
        "then",
        "time",
        "until",
        "while",
    ]
)
"""Words of the shell before a command, and programs that only call it."""
_WITH_OPERAND: Final = frozenset({"gosu", "nice", "su-exec"})
"""Programs that call a command behind one word of their own."""


class Command(Struct, frozen=True):
    """One simple command; `name` without its folder. Quotes are taken off words that
    are quoted as a whole."""

    name: str
    words: tuple[str, ...]

    def has(self, *words: str) -> bool:
        """Whether one of these is among its words."""
        return not set(words).isdisjoint(self.words)

    @property
    def operands(self) -> tuple[str, ...]:
        """Its words but for options."""
        return tuple(word for word in self.words if not word.startswith("-"))


def commands(text: str) -> tuple[Command, ...]:
    """The simple commands of a shell text, in order; of any text, in linear time."""
    return tuple(_commands(text))


def _commands(text: str) -> Iterator[Command]:
    words: list[str] = []
    for found in _WORD.finditer(text):
        if found["end"] is None:
            words.append(_unquoted(found["word"]))
            continue
        if command := _command(words):
            yield command
        words = []
    if command := _command(words):
        yield command


def _command(words: list[str]) -> Command | None:
    start = 0
    while start < len(words):
        word = words[start]
        if word in _WITH_OPERAND:
            start += 2
        elif word == "env" or word in _BEFORE or _ASSIGNMENT.match(word):
            start += 1
        else:
            break
    if start >= len(words):
        return None
    return Command(words[start].rpartition("/")[2], tuple(words[start + 1 :]))


def _unquoted(word: str) -> str:
    quote = word[0]
    if len(word) > 1 and quote in "\"'" and word.endswith(quote):
        inner = word[1:-1]
        return word if quote in inner else inner
    return word
