"""What looks at pushes need beside what every crawl needs, and whom they tell."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from weighbridge.store.leases.jobs import Job
from weighbridge.store.pushes.push_queue import PushedTo

Verdict: TypeAlias = Literal["pass", "warn", "fail", "error"]
"""What policies say of a pushed tag; `error`: it could not be read."""


class JudgedTag(Struct, frozen=True):
    """A pushed tag whose verdict is stored.

    received_at:      when the first of the events came that tell of it
    compressed_bytes: of each image that was not known before
    """

    tag: str
    outcome: str
    verdict: Verdict
    received_at: datetime
    compressed_bytes: Sequence[int] = ()


class PushCallbacks(Struct, frozen=True):
    """Of one registry.

    registry:  as configured
    judged:    told of tags whose verdict is stored, and that there may be something to
               be told to people
    whole:     told that a whole crawl of a repository is due
    measuring: the job that measures what a look was ended before; None where only
               crawls do
    """

    registry: str
    judged: Callable[[Sequence[JudgedTag]], None]
    whole: Callable[[str], None]
    measuring: Job | None = None

    def to(self, repository: str) -> PushedTo:
        """How events name one of its repositories."""
        return PushedTo(self.registry, repository)
