"""Numbers of our JSON: none is larger than what its readers can hold."""

from collections.abc import Mapping
from typing import Final

from weighbridge.domain.text.units import LARGEST

SATURATED: Final = "saturated"
"""The key that names the numbers beside it that are larger than what is written."""


def saturated(value: object) -> object:
    """The same with every integer within 64 bits: most readers of JSON have no larger
    ones, and fail or take another number. A registry's claims may sum up to more.

    An object that held such a number gets the key `saturated`, a list of its names.
    """
    if isinstance(value, Mapping):
        found: dict[object, object] = {key: saturated(v) for key, v in value.items()}
        if over := [key for key, v in value.items() if _is_over(v)]:
            found[SATURATED] = over
        return found
    if isinstance(value, list | tuple):
        return [saturated(item) for item in value]
    if isinstance(value, int) and _is_over(value):
        return LARGEST if value > 0 else -LARGEST
    return value


def _is_over(value: object) -> bool:
    return isinstance(value, int) and abs(value) > LARGEST
