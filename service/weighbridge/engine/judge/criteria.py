"""What images are judged by, and who is told of it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from weighbridge.config import RegistrySettings
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.message.message import NotificationEvent
from weighbridge.domain.policy.policy import NO_POLICIES, PolicySet
from weighbridge.store.outbox.filling import put_notifications
from weighbridge.store.session import Connection

Tell: TypeAlias = Callable[
    [Connection, Sequence[int], NotificationEvent, datetime], None
]
"""Writes down who is to be told of these violations, in the same transaction."""


def plan_no_notices(
    connection: Connection,
    violation_ids: Sequence[int],
    event: NotificationEvent,
    now: datetime,
) -> None:
    """Where nobody is to be told of anything."""


class Judging(Struct, frozen=True):
    """What images are judged by, as it is at this moment.

    platforms: of a registry, those that are judged; the first one speaks for an index
    is_silent: nobody is told of what is found now: somebody crawls by hand
    """

    policies: PolicySet
    platforms: tuple[Platform, ...] = (DEFAULT,)
    tell: Tell = plan_no_notices
    is_silent: bool = False

    @property
    def is_judging(self) -> bool:
        """Whether anything is judged; else what is to be judged goes on waiting."""
        return self.policies is not NO_POLICIES


NO_JUDGING = Judging(NO_POLICIES, is_silent=True)
"""Nothing is judged."""


def tell_ends(
    connection: Connection,
    violation_ids: Sequence[int],
    event: NotificationEvent,
    now: datetime,
) -> None:
    """Of a crawl by hand nobody is told; but who was told of a violation by a service
    is told of its end, whoever finds that."""
    put_notifications(connection, violation_ids, event, (), now)


class Judges(Struct, frozen=True):
    """Whoever stores images asks here each time, so that policies that were read again
    hold for the next image of a crawl that is under way.

    policies:  those in force
    tell:      see `telling.notice_planning`
    is_silent: nobody is told of what is found: somebody crawls by hand
    """

    policies: Callable[[], PolicySet]
    tell: Tell = plan_no_notices
    is_silent: bool = False

    def of(self, registry: RegistrySettings) -> Judging:
        """For the images of a configured registry."""
        return self.of_platforms(registry.platforms)

    def of_platforms(self, platforms: tuple[Platform, ...]) -> Judging:
        """For images of which these platforms are looked at."""
        return Judging(self.policies(), platforms, self.tell, self.is_silent)
