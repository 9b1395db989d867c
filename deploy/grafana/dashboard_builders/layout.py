"""Where panels stand: sections under a heading, lines of panels side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dashboard_builders.shapes import Object

COLUMNS: Final = 24


@dataclass(frozen=True, slots=True)
class Strip:
    """Panels side by side, of equal height and width."""

    height: int
    panels: Sequence[Object]

    def placed(self, y: int) -> Iterator[Object]:
        width = COLUMNS // len(self.panels)
        for place, panel in enumerate(self.panels):
            x = place * width
            yield panel | {"gridPos": {"x": x, "y": y, "w": width, "h": self.height}}


@dataclass(frozen=True, slots=True)
class Section:
    """Strips under a heading, which folds them."""

    title: str
    strips: Sequence[Strip]


def lay_out(sections: Sequence[Section]) -> list[Object]:
    """All panels from the top down, numbered from 1."""
    placed = enumerate(_placed(sections), start=1)
    return [{"id": number} | panel for number, panel in placed]


def _placed(sections: Sequence[Section]) -> Iterator[Object]:
    y = 0
    for section in sections:
        yield {
            "type": "row",
            "title": section.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        }
        y += 1
        for strip in section.strips:
            yield from strip.placed(y)
            y += strip.height
