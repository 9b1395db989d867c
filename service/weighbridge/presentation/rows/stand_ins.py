"""Texts that stand where a layer's line would: nobody wrote them in a Dockerfile."""

from typing import Final, Literal, TypeAlias

from weighbridge.domain.image.history import LINE_UNKNOWN, NOT_IN_HISTORY

StandIn: TypeAlias = Literal["", "unknown", "squashed"]
"""`unknown`: the layer's line is not known; `squashed`: several lines made it."""

_SQUASHED: Final = "(squashed"


def stand_in(instruction: str) -> StandIn:
    """What the text stands for, "" for a line of a Dockerfile."""
    if instruction.startswith(_SQUASHED):
        return "squashed"
    is_unknown = instruction.startswith((LINE_UNKNOWN, NOT_IN_HISTORY))
    return "unknown" if is_unknown else ""
