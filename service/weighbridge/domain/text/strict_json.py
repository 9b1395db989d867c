"""JSON from a registry, read in the one way that every reader must agree on.

Two readers that understand one document differently are how a scanner is shown
another image than the one that runs. So whatever RFC 8259 leaves to the reader
(repeated names, NaN, a byte order mark) is refused here, and so is a name that
only Go's case-insensitive decoder would recognise.
"""

import json
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NoReturn, TypeAlias

from msgspec import Struct

from weighbridge.domain import limits
from weighbridge.errors import DocumentError

Members: TypeAlias = dict[str, object]
# fromisoformat alone would take week dates as well.
_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:Z|[+-]\d\d:\d\d)", re.ASCII
)


class ObjectShape(Struct, frozen=True):
    """The names that one kind of object has in its specification."""

    names: frozenset[str]
    folded: frozenset[str]


def shape(*names: str) -> ObjectShape:
    """The shape with these names, spelt as the specification spells them."""
    return ObjectShape(frozenset(names), frozenset(name.casefold() for name in names))


def parse_json(raw: bytes) -> object:
    """What the bytes say: dict, list, str, int, float, bool or None.

    Strings are valid Unicode: a lone surrogate escape is read as U+FFFD, as Go
    reads it. Raises DocumentError(invalid_json, duplicate_key).
    """
    # An empty list of two bytes costs us sixty: what is made of them is not counted,
    # so they are, before any is made.
    containers = raw.count(b"[") + raw.count(b"{")
    if containers > limits.JSON_CONTAINERS:
        raise _invalid(f"it has more than {limits.JSON_CONTAINERS} lists and objects")
    try:
        text = raw.decode()
        value: object = _DECODER.decode(text)
    except UnicodeDecodeError as exc:
        raise _invalid(f"it is not UTF-8 at byte {exc.start}") from exc
    except json.JSONDecodeError as exc:
        raise _invalid(f"line {exc.lineno} column {exc.colno}: {exc.msg}") from exc
    except RecursionError as exc:
        raise _invalid("it is nested too deeply") from exc
    except ValueError as exc:  # int() refuses thousands of digits
        raise _invalid("a number is too long") from exc
    # Most documents have too few brackets to be deep.
    if containers > limits.JSON_DEPTH:
        _check_depth(value)
    if "\\ud" in text or "\\uD" in text:
        return _without_surrogates(value)
    return value


def members(value: object, expected: ObjectShape) -> Members | None:
    """The members of an object, or None if the value is no object.

    Raises DocumentError(ambiguous_manifest) if a name differs from an expected
    one by case alone: Go's encoding/json takes `Layers` for `layers`, the later of
    both winning. Maps of free names (annotations, labels) never come here.
    """
    if type(value) is not dict:
        return None
    if not expected.names.issuperset(value):
        for name in value:
            if name not in expected.names and name.casefold() in expected.folded:
                raise DocumentError(
                    f"the name {name!a} is read differently by other tools",
                    code="ambiguous_manifest",
                )
    return value


def read_moment(value: object, earliest: datetime) -> datetime | None:
    """A time as RFC 3339 writes it, in UTC; None for what is none, or is before
    `earliest`: a clock may have been wrong, which is no error."""
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not UTC:
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment >= earliest else None


def _unique(pairs: list[tuple[str, object]]) -> Members:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DocumentError(
            f"the JSON has the name {_repeated(pairs)} twice in one object",
            code="duplicate_key",
        )
    return found


def _repeated(pairs: list[tuple[str, object]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return ascii(name[:40])
        seen.add(name)
    return ""


def _refuse_constant(name: str) -> NoReturn:
    raise _invalid(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _invalid("a number is out of range")
    return number


# strict=True: control characters inside strings are refused (RFC 8259 section 7).
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_refuse_constant,
    parse_float=_finite,
    strict=True,
)


def _check_depth(value: object) -> None:
    """Level by level, so that the answer does not depend on our own stack."""
    level: list[object] = [value]
    for _ in range(limits.JSON_DEPTH):
        level = [
            child
            for container in level
            for child in _children(container)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return
    raise _invalid(f"it is nested more than {limits.JSON_DEPTH} levels deep")


def _children(container: object) -> Iterable[object]:
    if isinstance(container, dict):
        return container.values()
    return container if isinstance(container, list) else ()


def _without_surrogates(value: object) -> object:
    """At most JSON_DEPTH calls deep. Names that become equal: the later wins."""
    if isinstance(value, str):
        # Most often an escaped pair, which the decoder has already joined.
        if value.isascii():
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {
            str(_without_surrogates(name)): _without_surrogates(item)
            for name, item in value.items()
        }
    return value


def _invalid(why: str) -> DocumentError:
    return DocumentError(f"the document is not JSON: {why}", code="invalid_json")
