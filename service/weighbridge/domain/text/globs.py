"""Include and exclude patterns: `*` stands for any text, slashes included."""

from typing import Final

from msgspec import Struct

EVERYTHING: Final = ("*",)


class Patterns(Struct, frozen=True):
    """Names that one of `include` fits and none of `exclude`."""

    include: tuple[str, ...] = EVERYTHING
    exclude: tuple[str, ...] = ()


def matches(patterns: Patterns, name: str) -> bool:
    """Whether the patterns let this name in."""
    return any(fits(p, name) for p in patterns.include) and not any(
        fits(p, name) for p in patterns.exclude
    )


def fits(pattern: str, name: str) -> bool:
    """Whether `*` can be filled so that the pattern becomes the name.

    The text between two stars is taken where it comes first. That is always right,
    because the star behind it can take whatever is left, and so nothing is tried
    twice: no pattern makes a crawl spin.
    """
    first, *others = pattern.split("*")
    if not others:
        return pattern == name
    *middle, last = others
    position, end = len(first), len(name) - len(last)
    if position > end or not (name.startswith(first) and name.endswith(last)):
        return False
    for piece in middle:
        found = name.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True
