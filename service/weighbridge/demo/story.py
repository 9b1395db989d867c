"""The demo's year: what the registry held at six moments, oldest first.

A registry shows only its present. Crawling these moments one after another, each
with its own `now`, gives the first screen a past.
"""

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from weighbridge.demo.content.stored_documents import Figures, RegistryContent, Shelf

_MOMENTS: Final = (
    datetime(2025, 11, 18, 9, 40, tzinfo=UTC),
    datetime(2026, 1, 20, 9, 40, tzinfo=UTC),
    datetime(2026, 3, 24, 9, 40, tzinfo=UTC),  # shop/api 1.3.0: node_modules
    datetime(2026, 5, 12, 9, 40, tzinfo=UTC),
    datetime(2026, 9, 1, 9, 40, tzinfo=UTC),
    datetime(2026, 9, 22, 9, 40, tzinfo=UTC),  # shop/api 1.5.0: torch
)


def demo_content(step: int = -1) -> RegistryContent:
    """The registry at one moment, an index into `demo_steps()`; -1 is the last.

    Raises IndexError for a moment that is not there.
    """
    now = _MOMENTS[step]
    figures = _figures()
    moved = sorted(
        (push for push in figures.moving if push.item.created_at <= now),
        key=lambda push: push.item.created_at,
    )
    return Shelf((*figures.standing, *moved))


def demo_steps() -> list[tuple[datetime, RegistryContent]]:
    """Each moment with what the registry held then, oldest first."""
    return [(now, demo_content(step)) for step, now in enumerate(_MOMENTS)]


@cache
def _figures() -> Figures:
    text = files("weighbridge.demo").joinpath("figures.yaml").read_bytes()
    return msgspec.yaml.decode(text, type=Figures)
