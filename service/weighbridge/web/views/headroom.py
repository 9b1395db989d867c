"""Newest images beside their limits, as a page shows them."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.policy.simulation import Headroom
from weighbridge.web.views.violations import LIMIT_PERCENT

AT_LEAST: Final = 3
_SHOWN_FROM: Final = 50
"""Percent: who is further from its limit is shown only where few are nearer."""


class HeadroomItem(Struct, frozen=True):
    """One repository.

    verdict: `near 98 %`, or `within 62 %`, of its limit
    share:   `98 % of the limit`, for who does not see the bar
    own:     the length of its bar, in percent of the width
    """

    headroom: Headroom
    css: str
    icon: str
    verdict: str
    share: str
    own: float


def headroom_items(found: Sequence[Headroom]) -> tuple[HeadroomItem, ...]:
    """In the order in which they were found: three, and those beyond that have used
    half of their limit."""
    return tuple(
        _item(headroom)
        for rank, headroom in enumerate(found)
        if rank < AT_LEAST or headroom.is_from(_SHOWN_FROM)
    )


def _item(headroom: Headroom) -> HeadroomItem:
    percent = round(headroom.share * 100)
    if headroom.left_bytes:
        # Whoever is told 100 % looks for what is over.
        percent = min(percent, 99)
    css, icon, word = ("v-near", "near", "near")
    if not headroom.is_near:
        css, icon, word = ("v-ok", "ok", "within")
    return HeadroomItem(
        headroom=headroom,
        css=css,
        icon=icon,
        verdict=f"{word} {percent} %",
        share=f"{percent} % of the limit",
        own=min(headroom.share, 1.0) * LIMIT_PERCENT,
    )
