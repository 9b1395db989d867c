"""Include and exclude patterns: `*` stands for any text, slashes included; and whether
two sets of them let in a common name of a repository.

That is decided exactly: a walk over the positions that a name being spelt has reached
in the patterns. It only gives up, and then says that there may be one, where excludes
are so many and so entangled that the walk does not end soon.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from string import ascii_lowercase, digits
from typing import Final, TypeAlias

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


class PatternIndex:
    """Which of many patterns are worth a try on a name: those with whose text before
    the first `*` it begins; where there is none, those whose longest text it has
    somewhere."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._by_start: dict[str, list[int]] = {}
        self._by_part: list[tuple[int, str]] = []
        for number, pattern in enumerate(patterns):
            start, *others = pattern.split("*")
            if start:
                self._by_start.setdefault(start, []).append(number)
            else:
                self._by_part.append((number, max(others, key=len, default="")))
        self._lengths = sorted({len(start) for start in self._by_start})

    def candidates(self, name: str) -> list[int]:
        """The places of these patterns, in their order."""
        found = [
            number
            for length in self._lengths
            if length <= len(name)
            for number in self._by_start.get(name[:length], ())
        ]
        found += [number for number, part in self._by_part if part in name]
        found.sort()
        return found


UNDECIDED: Final = ""
"""In the place of a common name: there may be one."""
_STEPS: Final = 100_000
_ALPHANUMERIC: Final = digits + ascii_lowercase
_Positions: TypeAlias = frozenset[int]
_State: TypeAlias = tuple[str, tuple[_Positions, ...]]


def common_name(one: Patterns, other: Patterns) -> str | None:
    """A name that both let in, one of the shortest of two patterns; None: there is no
    such name."""
    for patterns in (one, other):
        for name in patterns.include:
            if "*" not in name and matches(one, name) and matches(other, name):
                return name
    exclude = tuple(dict.fromkeys((*one.exclude, *other.exclude)))
    for first, second in _globs(one, other):
        found = _common_name(first, second, exclude)
        if found is not None:
            return found
    return None


def _globs(one: Patterns, other: Patterns) -> Iterator[tuple[str, str]]:
    """Pairs of patterns with stars whose beginnings and ends do not clash."""
    for first in one.include:
        for second in other.include:
            if "*" in first and "*" in second and _may_meet(first, second):
                yield first, second


def _may_meet(first: str, second: str) -> bool:
    head, other = first.partition("*")[0], second.partition("*")[0]
    tail, end = first.rpartition("*")[2], second.rpartition("*")[2]
    return (head.startswith(other) or other.startswith(head)) and (
        tail.endswith(end) or end.endswith(tail)
    )


def _common_name(first: str, second: str, exclude: tuple[str, ...]) -> str | None:
    patterns = (first, second, *exclude)
    # Whatever no pattern spells out is the same to all of them.
    unspelt = next((c for c in _ALPHANUMERIC if c not in "".join(patterns)), "")
    start: _State = ("/", tuple(_closed(p, {0}) for p in patterns))
    names: dict[_State, str] = {start: ""}
    waiting = deque([start])
    while waiting:
        last, reached = state = waiting.popleft()
        for character in _characters(patterns, reached, last, unspelt):
            steps = zip(patterns, reached, strict=True)
            now = tuple(_step(p, positions, character) for p, positions in steps)
            name = names[state] + character
            if _is_lost(patterns, now):
                continue
            if _is_common(patterns, now) and character in _ALPHANUMERIC:
                return name
            # All letters are one, and so are all that stand between them.
            kind = "a" if character in _ALPHANUMERIC else character
            following = ("." if kind in "_-" else kind, now)
            if following not in names:
                names[following] = name
                waiting.append(following)
        if len(names) * len(patterns) > _STEPS:
            return UNDECIDED
    return None


def _characters(
    patterns: tuple[str, ...], reached: tuple[_Positions, ...], last: str, unspelt: str
) -> list[str]:
    """What may come next: a name's components begin and end with a letter or digit
    (distribution-spec, Pulling manifests)."""
    found = {unspelt} - {""}
    for pattern, positions in zip(patterns, reached, strict=True):
        found.update(pattern[i] for i in positions if i < len(pattern))
    found.discard("*")
    if last != "a":
        found -= {"/"} if last == "." else {"/", ".", "_", "-"}
    return sorted(found, key=lambda c: (c not in _ALPHANUMERIC, c))


def _step(pattern: str, positions: _Positions, character: str) -> _Positions:
    following = {
        i if pattern[i] == "*" else i + 1
        for i in positions
        if i < len(pattern) and pattern[i] in ("*", character)
    }
    return _closed(pattern, following)


def _closed(pattern: str, positions: set[int]) -> _Positions:
    """With what a star that stands for nothing leads to. Whatever lies before the last
    star that was reached leads nowhere that this star does not."""
    for i in sorted(positions):
        while i < len(pattern) and pattern[i] == "*":
            i += 1
            positions.add(i)
    least = max((i for i in positions if pattern[i : i + 1] == "*"), default=0)
    return frozenset(i for i in positions if i >= least)


def _is_lost(patterns: tuple[str, ...], reached: tuple[_Positions, ...]) -> bool:
    """Whether no name that goes on like this is let in by both."""
    if not reached[0] or not reached[1]:
        return True
    excludes = zip(patterns[2:], reached[2:], strict=True)
    return any(p.endswith("*") and len(p) - 1 in positions for p, positions in excludes)


def _is_common(patterns: tuple[str, ...], reached: tuple[_Positions, ...]) -> bool:
    ends = [len(p) in positions for p, positions in zip(patterns, reached, strict=True)]
    return ends[0] and ends[1] and not any(ends[2:])
