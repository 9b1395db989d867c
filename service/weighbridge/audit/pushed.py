"""What events tell of a repository, put together: each tag is asked about once."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from weighbridge.audit.tag_look import TagAnswer
from weighbridge.domain.digest import Digest
from weighbridge.store.push_queue import WaitingPush
from weighbridge.store.tags import KnownTag, Move

AHEAD: Final = timedelta(minutes=5)
"""A sender's clock may be ahead by so much; beyond that its time is not believed."""


@dataclass(slots=True)
class Pushed:
    """A tag of which events tell.

    ids:         of the events
    is_delete:   one of them says that the tag is gone
    is_push:     one of them says that it is there
    received_at: when the first of them came
    times:       when it was pushed, by the digest that it was to have then
    """

    name: str
    received_at: datetime
    last_received_at: datetime
    ids: list[int] = field(default_factory=list)
    is_delete: bool = False
    is_push: bool = False
    attempts: int = 0
    times: dict[Digest | None, datetime] = field(default_factory=dict)
    digests: set[Digest] = field(default_factory=set)

    def add(self, push: WaitingPush) -> None:
        """One more event."""
        self.ids.append(push.id)
        self.last_received_at = max(self.last_received_at, push.received_at)
        self.received_at = min(self.received_at, push.received_at)
        self.attempts = max(self.attempts, push.attempts)
        if push.is_delete:
            self.is_delete = True
            return
        self.is_push = True
        if push.digest is not None:
            self.digests.add(push.digest)
        if push.pushed_at is not None:
            before = self.times.get(push.digest)
            self.times[push.digest] = max(push.pushed_at, before or push.pushed_at)

    def time_of(self, digest: Digest, now: datetime) -> datetime | None:
        """When this digest was pushed. None where no event tells a time at all; the
        moment of receipt where they tell none of this digest, or one to come: a tag
        with a push time counts as newer than any without."""
        if not self.times:
            return None
        said = self.times.get(digest) or self.times.get(None)
        if said is None or said > now + AHEAD:
            return min(self.last_received_at, now)
        return said


def by_tag(waiting: Iterable[tuple[str, WaitingPush]]) -> dict[str, Pushed]:
    """The tags that events tell of, each with all its events."""
    found: dict[str, Pushed] = {}
    for name, push in waiting:
        if name not in found:
            found[name] = Pushed(name, push.received_at, push.received_at)
        found[name].add(push)
    return found


def with_time(
    answer: TagAnswer, pushed: Pushed, before: KnownTag | None, now: datetime
) -> TagAnswer:
    """The registry's answer with the time of the push.

    That of an event which is late changes nothing: only a tag that moved, or a later
    push of what it has already, gets another time.
    """
    if answer.move is None and (answer.failure or answer.fault):
        return answer
    digest = answer.move.digest if answer.move is not None else _digest_of(before)
    if digest is None:
        return answer
    at = pushed.time_of(digest, now)
    known_at = None if before is None else before.pushed_at
    is_late = at is not None and known_at is not None and at <= known_at
    is_same = before is not None and before.digest == digest
    if is_same and (at is None or is_late):
        at = known_at
    elif is_late:
        at = min(pushed.last_received_at, now)
    if answer.move is None and at == known_at:
        return answer
    return TagAnswer(
        answer.name,
        move=Move(answer.name, digest, at),
        reading=answer.reading,
        fault=answer.fault,
        was=None if before is None else before.digest,
    )


def _digest_of(before: KnownTag | None) -> Digest | None:
    return None if before is None else before.digest
