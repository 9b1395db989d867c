"""What the images of each registry are judged by, as the policies are at the moment."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from weighbridge.config import RegistrySettings
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.message.message import NotificationEvent
from weighbridge.domain.policy.policy_set import PolicySet
from weighbridge.engine.judge.criteria import Judging, Tell, plan_no_notices
from weighbridge.store.outbox.filling import put_notifications
from weighbridge.store.session import Connection


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
