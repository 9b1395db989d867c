"""A long RUN line told in short: what it does, without its housekeeping."""

import re
from typing import Final

from weighbridge.presentation.forms.screen import Screen

_COMMANDS: Final = re.compile(r"\s*(?:&&|\|\||;)\s*")
_CONNECTIVE: Final = re.compile(r"(?:then|do|else|if|fi|done|!)\s+")
_HOUSEKEEPING: Final = re.compile(
    r"set\b|export\b|fi\b|done\b|true\b|:|command\b|test\b|\[|cd\b"
    r"|rm\b|mkdir\b|apt-mark\b|dpkg-query\b|[A-Za-z_]\w*=(?:\"[^\"]*\"|\S*)$"
    r"|apt(?:-get)?\s+(?:update|clean|autoremove|purge)\b|apk\s+(?:update|del)\b"
    r"|(?:dnf|yum|microdnf)\s+clean\b",
    re.ASCII,
)
_HASHED: Final = re.compile(r"\b(file|dir|multi):([0-9a-f]{12})[0-9a-f]+", re.ASCII)


def short_instruction(text: str, ellipsis: str = "…") -> str:
    """`RUN apt-get install … git procps`: for a row that has not room for all of it.

    Housekeeping and options go; the words that stay keep their order.
    """
    if not text.startswith("RUN "):
        return _HASHED.sub(rf"\1:\2{ellipsis}", text)
    commands = [
        _without_options(command, ellipsis)
        for part in _COMMANDS.split(text.removeprefix("RUN "))
        if (command := _bare(part)) and not _HOUSEKEEPING.match(command)
    ]
    return f"RUN {'; '.join(commands)}" if commands else text


def fitted(text: str, used: int, screen: Screen) -> str:
    """The whole line where there is room for it behind `used` columns, else the short
    form."""
    if screen.cut(text, used) == text:
        return text
    return screen.cut(short_instruction(text, screen.ellipsis), used)


def _bare(command: str) -> str:
    """The command without the shell's words before it."""
    command = command.strip()
    while (found := _CONNECTIVE.match(command)) is not None:
        command = command[found.end() :]
    return command


def _without_options(command: str, ellipsis: str) -> str:
    kept: list[str] = []
    for word in command.split():
        if not word.startswith("-"):
            kept.append(word)
        elif kept and kept[-1] != ellipsis:
            kept.append(ellipsis)
    return " ".join(kept)
