"""Whether colours can be told from the panels that they stand on."""

import re
from collections.abc import Iterator
from typing import Final

PANELS: Final = {"light": "#FFFFFF", "dark": "#181B1F"}
"""Behind the panels of Grafana's two themes."""

_LEAST: Final = 3.0
"""WCAG 2.2, 1.4.11, for what is no text, and 1.4.3 for large text."""


def contrast_complaints(text: str) -> Iterator[str]:
    """About each colour that is written in `text`."""
    for colour in sorted(set(re.findall(r"#[0-9A-Fa-f]{6}\b", text))):
        for theme, panel in PANELS.items():
            if (ratio := contrast(colour, panel)) < _LEAST:
                yield f"{colour} has a contrast of {ratio:.1f} in the {theme} theme"


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
