"""Which repositories `/metrics/repositories` shows, within its budget."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Final

from msgspec import Struct, field

from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.domain.series_budget import Budget, Ladder, Level, ladder
from weighbridge.store.reports.inventory import (
    InventoryRow,
    heaviest_ids,
    inventory_pieces,
    pinned_ids,
)
from weighbridge.store.session import Connection
from weighbridge.web.metrics.families import NOBODY, Violating

HOLD_S: Final = 24 * 3600.0
"""How long a repository stays that is no longer heavy enough to come in, and families
stay away that would fit only just."""


class Choice(Struct, frozen=True):
    """Who is shown.

    registries: those that are configured; others have no series
    ids:     the repositories at level 1, None: all of them
    waning:  of those, since when (Unix seconds) they would not come in any more
    level_since: since when (Unix seconds) it is this level
    exposed: how many are shown, and `omitted` how many are not
    pinned_omitted: of those left out, how many the configuration wants to stay
    """

    level: Level
    registries: tuple[RegistryReport, ...]
    exposed: int
    omitted: int
    pinned_omitted: int = 0
    ids: frozenset[int] | None = None
    waning: Mapping[int, float] = field(default_factory=dict)
    level_since: float = 0.0


class ShownSeries(Struct, frozen=True):
    """What is shown besides the numbers of a repository.

    limits:    how many kinds of limits any policy sets
    violating: those that exceed one: they come first after the pinned ones
    """

    limits: int = 0
    violating: Violating = NOBODY


NOTHING_ELSE: Final = ShownSeries()


def configured(registries: Sequence[RegistryReport]) -> tuple[RegistryReport, ...]:
    """Those that have series."""
    return tuple(r for r in registries if r.state != "unconfigured")


def choose(
    connection: Connection,
    registries: Sequence[RegistryReport],
    budget: Budget,
    now: float,
    before: Choice | None = None,
    wanted: ShownSeries = NOTHING_ELSE,
) -> Choice:
    """Choose what fits; `before` was shown the last time.

    Totals of registries are always over all repositories.
    """
    shown = configured(registries)
    repositories = sum(registry.repositories for registry in shown)
    step = ladder(
        budget,
        len(shown),
        repositories,
        limits=wanted.limits,
        violations=wanted.violating.series,
        was_below=_was_below(before, now),
    )
    since = now
    if before is not None and before.level == step.level:
        since = before.level_since
    if step.level >= 2:
        return Choice(step.level, shown, repositories, 0, level_since=since)
    pinned = pinned_ids(connection, budget.pin)
    if step.level == 0:
        return Choice(
            0, shown, 0, repositories, len(pinned), frozenset(), level_since=since
        )
    heaviest = heaviest_ids(connection, step.most)
    first = list(dict.fromkeys([*pinned, *wanted.violating.ids]))
    ids, waning = _some(step, first, heaviest, before, now)
    return Choice(
        level=1,
        registries=shown,
        exposed=len(ids),
        omitted=repositories - len(ids),
        pinned_omitted=sum(identity not in ids for identity in pinned),
        ids=frozenset(ids),
        waning=waning,
        level_since=since,
    )


def _was_below(before: Choice | None, now: float) -> bool:
    """Whether families left so short a while ago that they may be about to again."""
    if before is None or before.level == 3:
        return False
    return now - before.level_since < HOLD_S


def _some(
    step: Ladder,
    first: Sequence[int],
    heaviest: Sequence[int],
    before: Choice | None,
    now: float,
) -> tuple[Set[int], Mapping[int, float]]:
    """Those that are to come first, then the heaviest up to the rank at which one
    comes in, then who was there before and has not sunk too far, for a day."""
    ids = dict.fromkeys(first[: step.most])
    ranked = [identity for identity in heaviest if identity not in ids]
    enter = max(0, step.enter - len(ids))
    ids |= dict.fromkeys(ranked[:enter])
    if before is None or before.level == 0:
        return ids.keys(), {}
    waning: dict[int, float] = {}
    for identity in ranked[enter:]:
        if len(ids) == step.most:
            break
        since = before.waning.get(identity, now)
        was_shown = before.ids is None or identity in before.ids
        if was_shown and now - since < HOLD_S:
            ids[identity] = None
            waning[identity] = since
    return ids.keys(), waning


def pieces(
    connection: Connection, choice: Choice, columns: Sequence[str]
) -> Iterator[list[InventoryRow]]:
    """The rows that are shown, by registry and name."""
    if choice.level == 0:
        return iter(())
    return inventory_pieces(connection, columns, choice.ids)
