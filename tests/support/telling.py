"""Whoever is told of violations, in place of channels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from weighbridge.domain.message.grouping import NotificationEvent
from weighbridge.store.session import Connection


@dataclass
class Told:
    """Who was told of what."""

    events: list[NotificationEvent] = field(default_factory=list)

    def __call__(
        self,
        connection: Connection,
        violation_ids: Sequence[int],
        event: NotificationEvent,
        now: datetime,
    ) -> None:
        self.events += [event] * len(violation_ids)
