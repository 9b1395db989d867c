"""How values look: units, colours, and what stands where there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from dashboard_builders import colours
from dashboard_builders.shapes import Object

Steps: TypeAlias = Sequence[tuple[float, str]]
"""From which value on a colour is shown, in rising order."""

PLAIN: Final[Steps] = ()
SHARE_OF_LIMIT: Final[Steps] = ((0.9, colours.NEAR), (1.0, colours.OVER))
GROWTH: Final[Steps] = ((0.05, colours.NEAR), (0.25, colours.OVER))
ANY_IS_BAD: Final[Steps] = ((1.0, colours.OVER),)
ANY_IS_WORTH_A_LOOK: Final[Steps] = ((1.0, colours.NEAR),)
INTERVALS: Final[Steps] = ((1.5, colours.NEAR), (2.5, colours.OVER))

BYTES: Final = "decbytes"
BYTES_A_SECOND: Final = "Bps"
COUNT: Final = "short"
RATIO: Final = "percentunit"
SECONDS: Final = "s"
REQUESTS_A_SECOND: Final = "reqps"
EVENTS_A_SECOND: Final = "cps"
NUMBER: Final = "none"


@dataclass(frozen=True, slots=True)
class Look:
    """How the values of a panel are shown.

    empty:    what stands where there is no value; it says why
    words:    what is written in place of a number, with its colour
    """

    unit: str
    empty: str = "unknown"
    steps: Steps = PLAIN
    calm: str = colours.BASE
    decimals: int | None = None
    words: Mapping[int, tuple[str, str]] | None = None


def defaults(look: Look) -> Object:
    """The part of a panel that says how its values look."""
    made: Object = {
        "unit": look.unit,
        "noValue": look.empty,
        "color": {"mode": "thresholds"},
        "thresholds": thresholds(look.steps, look.calm),
        "mappings": mappings(look.words or {}),
    }
    if look.decimals is not None:
        made["decimals"] = look.decimals
    return made


def thresholds(steps: Steps, calm: str) -> Object:
    first: Object = {"color": calm, "value": None}
    rest: list[Object] = [{"color": color, "value": value} for value, color in steps]
    return {"mode": "absolute", "steps": [first, *rest]}


def mappings(words: Mapping[int, tuple[str, str]]) -> list[Object]:
    """Numbers that are written as words."""
    if not words:
        return []
    options = {
        str(value): {"text": text, "color": color, "index": index}
        for index, (value, (text, color)) in enumerate(words.items())
    }
    return [{"type": "value", "options": options}]


def override(name: str, properties: Mapping[str, object]) -> Object:
    """What is different for the field or the line of this name."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": key, "value": value} for key, value in properties.items()
        ],
    }
