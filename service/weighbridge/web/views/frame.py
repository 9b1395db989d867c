"""What stands around every page: navigation, and how fresh the data is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.report.inventory import (
    STALE_INTERVALS,
    RegistryFreshness,
    RegistryReport,
)
from weighbridge.web.views.banners import Banner
from weighbridge.web.views.numbers import ago, duration

Freshness: TypeAlias = Literal[
    "fresh", "late", "stale", "waiting", "failing", "unconfigured"
]

Registry: TypeAlias = RegistryReport | RegistryFreshness

_LATE: Final = 1.5
"""Times the interval: one run is overdue. From STALE_INTERVALS on one was missed."""
NAVIGATION: Final = (
    ("/", "Overview"),
    ("/violations", "Violations"),
    ("/crawls", "Crawls"),
)


class RegistryLine(Struct, frozen=True):
    """One registry's freshness in words."""

    name: str
    freshness: Freshness
    words: str
    title: str
    every: str


class Frame(Struct, frozen=True):
    """path:   the page that is shown, marked in the navigation
    query:  what the search field holds
    pill:   freshness of all registries in two or three words, with an icon
    now:    when the page was made
    twin:   address of the page's JSON without its suffix, "" for none
    banner: of what concerns every page
    """

    path: str
    query: str
    pill: str
    pill_title: str
    pill_icon: str
    now: datetime
    twin: str = ""
    twin_query: str = ""
    refresh_s: int | None = None
    banner: Banner | None = None


def frame(
    path: str, registries: Sequence[Registry], now: datetime, query: str = ""
) -> Frame:
    """The frame of one page; `msgspec.structs.replace` adds the rest."""
    lines = [registry_line(registry, now) for registry in registries]
    pill, pill_icon = _pill(lines)
    return Frame(
        path=path,
        query=query,
        pill=pill,
        pill_title=". ".join(f"{line.name}: {line.title}" for line in lines),
        pill_icon=pill_icon,
        now=now,
    )


def registry_line(registry: Registry, now: datetime) -> RegistryLine:
    """How fresh one registry's data is."""
    every = f"every {duration(registry.interval_s)}"
    last = registry.last_success_at
    if registry.state == "unconfigured":
        title = f"no longer configured, every number is from {_since(last, now)}"
        words = "not configured"
        return RegistryLine(
            registry.name, "unconfigured", words, title, "no longer crawled"
        )
    if registry.state not in ("ok", "new"):
        title = f"{registry.state}, every number is from {_since(last, now)}"
        return RegistryLine(registry.name, "failing", registry.state, title, every)
    if last is None:
        title = f"first crawl has not ended, {every}"
        return RegistryLine(registry.name, "waiting", "first crawl", title, every)
    words = ago(last, now)
    freshness = _freshness(registry, last, now)
    return RegistryLine(registry.name, freshness, words, f"{words}, {every}", every)


def _since(moment: datetime | None, now: datetime) -> str:
    return "no crawl yet" if moment is None else ago(moment, now)


def _freshness(registry: Registry, last: datetime, now: datetime) -> Freshness:
    intervals = (now - last).total_seconds() / max(1, registry.interval_s)
    if intervals > STALE_INTERVALS:
        return "stale"
    return "late" if intervals > _LATE else "fresh"


def _pill(every_line: Sequence[RegistryLine]) -> tuple[str, str]:
    lines = [line for line in every_line if line.freshness != "unconfigured"]
    if not lines:
        return "not configured" if every_line else "no registry yet", "unk"
    failing = sum(line.freshness == "failing" for line in lines)
    stale = sum(line.freshness in ("late", "stale") for line in lines)
    if failing:
        return f"{failing} of {len(lines)} failing", "near"
    if stale:
        return f"{stale} of {len(lines)} stale", "near"
    if all(line.freshness == "waiting" for line in lines):
        return "first crawl", "unk"
    first = next(line for line in lines if line.freshness == "fresh")
    return f"{first.name}: {first.words}" if len(lines) == 1 else "all fresh", "ok"
