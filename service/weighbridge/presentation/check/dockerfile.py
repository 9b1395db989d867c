"""Finds the line of a Dockerfile that an image's line was made by."""

import re
from collections.abc import Iterator
from typing import Final

from weighbridge.domain.check.image_check import ImageCheck, by_outcome
from weighbridge.domain.growth.quantity import line_amount

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
