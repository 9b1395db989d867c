"""How it stands with the messages to one channel."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

ChannelState: TypeAlias = Literal["ok", "waiting", "failing"]
"""`waiting`: something is gathered, or about to be sent; `failing`: it was tried, and
nobody took it."""


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """A channel that had a notification. Times that never were: None.

    waiting:     notifications: an opening or an end of one violation each
    oldest_waiting_at: when the first of them came in
    next_at:     when the next message is due, or the next try
    failing_since: the first try of the message that fails for longest
    error_code:  why; of a channel that works, why something was given up
    given_up:    notifications not taken within a day, as far as they are kept
    """

    channel: str
    state: ChannelState
    waiting: int
    oldest_waiting_at: datetime | None
    next_at: datetime | None
    failing_since: datetime | None
    error_code: str | None
    last_sent_at: datetime | None
    given_up: int
    last_given_up_at: datetime | None
