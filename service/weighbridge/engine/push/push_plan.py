"""What is to be asked about the pushes that wait for a repository."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct, field

from weighbridge.engine.push.merged_events import Pushed, by_tag
from weighbridge.engine.tags.question_plan import DISTRUST
from weighbridge.store.pushes.push_queue import (
    PushedTo,
    WaitingPush,
    hold_back,
    note_done,
    put_off,
    tags_at,
    take,
    too_soon,
)
from weighbridge.store.registries.registry_rows import find_false_head
from weighbridge.store.session import Connection
from weighbridge.store.tags.applying import KnownTag, known_tags

TAGS: Final = 200
"""Tags that are asked about at once, as many as a crawl has in hand."""
GIVE_UP: Final = timedelta(days=1)
"""A push that nobody could handle for so long is left to the crawls."""
_WHOLE: Final = timedelta(minutes=1)
"""A push that a whole crawl is to answer: that is asked for again after so long, then
after twice that, up to an hour."""


class PushPlan(Struct):
    """What is to be done about pushes.

    asked:     tags to be asked about, each with its events
    known:     what is stored of these
    done:      events about which there is nothing to ask, by what is to be said of them
    held_back: events that come too soon after others, by when they are due
    whole:     events that only a whole crawl can answer
    by_get:    the registry's HEAD was found false not long ago
    """

    asked: dict[str, Pushed] = field(default_factory=dict)
    known: Mapping[str, KnownTag] = field(default_factory=dict)
    done: dict[str, list[int]] = field(default_factory=dict)
    held_back: dict[datetime, list[int]] = field(default_factory=dict)
    whole: list[WaitingPush] = field(default_factory=list)
    by_get: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing waited."""
        return not (self.asked or self.done or self.held_back or self.whole)

    def settle(self, connection: Connection, now: datetime) -> None:
        """Keep what needs no answer of the registry."""
        for outcome, ids in self.done.items():
            note_done(connection, ids, outcome, now)
        for due_at, ids in self.held_back.items():
            hold_back(connection, ids, due_at)
        for push in self.whole:
            if push.received_at <= now - GIVE_UP:
                note_done(connection, [push.id], "needs_crawl", now)
            else:
                wait = _WHOLE * 2 ** min(push.attempts, 6)
                put_off(connection, [push.id], now + wait, "needs_crawl")


def plan_pushes(
    connection: Connection,
    to: PushedTo,
    repository_id: int | None,
    wants_tag: Callable[[str], bool],
    now: datetime,
) -> PushPlan:
    """Read what waits and is due, and sort it; the rest follows.

    repository_id: None where the repository is not known yet
    """
    plan = PushPlan()
    named: list[tuple[str, WaitingPush]] = []
    for push in take(connection, to, now):
        if push.tag is not None and not wants_tag(push.tag):
            plan.done.setdefault("outside_filter", []).append(push.id)
        elif push.tag is not None:
            named.append((push.tag, push))
        elif repository_id is None:
            plan.done.setdefault("not_found", []).append(push.id)
        else:
            named += _of_digest(connection, repository_id, push, plan)
    found = by_tag(named)
    soon = too_soon(connection, to, now) if found else {}
    if found:
        false_at = find_false_head(connection, to.registry)
        plan.by_get = false_at is not None and now - false_at < DISTRUST
    for name in sorted(found, key=lambda name: found[name].ids):
        pushed: Pushed | None = found[name]
        # That a tag is gone is told once, and does not come in bursts.
        if name in soon and not found[name].is_delete:
            fresh, pushed = found[name].split()
            plan.held_back.setdefault(soon[name], []).extend(fresh)
        if pushed is not None and len(plan.asked) < TAGS:
            plan.asked[name] = pushed
    if repository_id is not None:
        plan.known = known_tags(connection, repository_id, list(plan.asked))
    return plan


def _of_digest(
    connection: Connection, repository_id: int, push: WaitingPush, plan: PushPlan
) -> Sequence[tuple[str, WaitingPush]]:
    """A manifest was deleted: which tags that takes along, only we may know."""
    if push.digest is None:
        plan.whole.append(push)
        return []
    names = tags_at(connection, repository_id, push.digest, TAGS)
    if len(names) == TAGS:
        plan.whole.append(push)
        return []
    if not names:
        plan.done.setdefault("same", []).append(push.id)
    return [(name, push) for name in names]
