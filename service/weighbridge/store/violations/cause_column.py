"""A cause as the column `violations.cause` keeps it: JSON, and of bounded length."""

import json
from typing import Final

from msgspec import to_builtins
from msgspec.structs import replace

from weighbridge.domain.growth.cause import Cause, LineChange

INSTRUCTION_CHARACTERS: Final = 1_000
"""The rest of a longer instruction is left out: it is a line of a message."""


def cause_text(cause: Cause) -> str:
    """What the column holds; the key has a column of its own."""
    changes = [_short(change) for change in cause.changes]
    kept = to_builtins(replace(cause, key=None, changes=tuple(changes)))
    del kept["key"]
    return json.dumps(kept, separators=(",", ":"))


def read_cause(text: str | None, key: bytes | None) -> Cause | None:
    """The cause of a row; None where none is known."""
    if text is None:
        return None
    kept = json.loads(text)
    changes = tuple(LineChange(**change) for change in kept.pop("changes"))
    return Cause(key=key, changes=changes, **kept)


def kept_instruction(instruction: str) -> str:
    """As much of it as is kept."""
    if len(instruction) <= INSTRUCTION_CHARACTERS:
        return instruction
    return instruction[: INSTRUCTION_CHARACTERS - 1] + "…"


def _short(change: LineChange) -> LineChange:
    return replace(change, instruction=kept_instruction(change.instruction))
