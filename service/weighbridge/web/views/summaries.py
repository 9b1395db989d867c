"""A Dockerfile line in a few words, for headlines and narrow columns."""

import re
from typing import Final

# What nearly every long RUN begins with and what says nothing of its weight.
_NOISE: Final = (
    (re.compile(r"^RUN set -[a-z]+ ?(?:;|&&) ?"), "RUN "),
    (re.compile(r"^RUN apt-get update ?(?:;|&&) ?"), "RUN "),
    (re.compile(r"(?: -y| --yes| -q+| --no-install-recommends)+ "), " … "),
)


def summary(instruction: str, characters: int) -> str:
    """The line if it fits, else without its usual opening, cut between words.

    Each part left out inside the line, and a cut, leaves an ellipsis.
    """
    if len(instruction) <= characters:
        return instruction
    for noise, left in _NOISE:
        instruction = noise.sub(left, instruction)
    return shortened(instruction, characters)


def shortened(text: str, characters: int) -> str:
    """The text, cut between words with an ellipsis if it is longer."""
    if len(text) <= characters:
        return text
    head = text[: characters - 2]
    kept = head.rpartition(" ")[0] if " " in head[characters // 2 :] else head
    return f"{kept.rstrip(' ;&|,…')} …"
