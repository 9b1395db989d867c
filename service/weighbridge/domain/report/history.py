"""The history of a tag or a repository: a row a step, for every face."""

from datetime import datetime
from operator import itemgetter
from typing import Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.growth.tag_history import StepBy
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.domain.size.confidence import CompressedConfidence, Confidence

HistoryOf: TypeAlias = Literal["tag", "repository"]
"""A tag's history has all its moves, a repository's what its newest image was."""
StepReason: TypeAlias = Literal[
    "no_image", "no_platform", "not_read", "pruned", "too_large"
]
"""Why something of a step is not known. `no_image`: an artifact, or what states no
sizes; `no_platform`: it has no image for the platform that is asked for; `not_read`:
the registry did not give it; `pruned`: its lines are not kept any more, its size is
(`history.untagged_images`); `too_large`: the images of one answer have too many layers
to be compared."""


class StepLine(Struct, frozen=True):
    """A line that weighs something; bytes None: it is not known which layer it made."""

    instruction: str
    compressed_bytes: int | None


class HistoryStep(Struct, frozen=True):
    """From `at` to `until` the tag led to this, or this was the newest image.

    at:        when we saw it come, or, of what was there before the first crawl, when
               the registry says that it was pushed
    until:     None: it does still
    by:        see `StepBy`
    tags:      that came to it together, at most 50 of them; `tag_count`: all of them
    digest:    of what the tags lead to, `image` that of the platform's image
    before_digest: the image that it is compared with, None for none
    grown_bytes: compressed bytes more than that one, below 0 for less
    baseline_compressed_bytes: the median of the ten distinct images before it, None
               below three
    base:      what the image stands on, None where that is not known
    lines:     the heaviest of them, the heaviest first; None: not known any more
    cause:     what made the difference to the image before; None: there is none before,
               or the lines of one of both are not known
    reason:    why something is None, None where nothing is
    """

    at: datetime
    seen_at: datetime
    pushed_at: datetime | None
    until: datetime | None
    by: StepBy
    tags: tuple[str, ...]
    tag_count: int
    digest: Digest
    kind: str | None
    platform: str | None
    image: Digest | None
    compressed_bytes: int | None
    compressed_confidence: CompressedConfidence | None
    claimed_bytes: int | None
    uncompressed_bytes: int | None
    uncompressed_confidence: Confidence | None
    layers: int | None
    before_digest: Digest | None
    grown_bytes: int | None
    baseline_compressed_bytes: int | None
    base: ImageBase | None
    lines: tuple[StepLine, ...] | None
    cause: Cause | None
    reason: StepReason | None

    @property
    def leading_change(self) -> LineChange | None:
        """The line that did most of it: that added most where it grew, that took most
        away where it shrank. None where that is not known."""
        if self.cause is None or not self.grown_bytes:
            return None
        sign = 1 if self.grown_bytes > 0 else -1
        changed = [(sign * (c.grown_amount or 0), c) for c in self.cause.changes]
        most, change = max(changed, key=itemgetter(0), default=(0, None))
        return change if most > 0 else None


class HistoryReport(Struct, frozen=True):
    """A page of steps, the latest first.

    tag:    None for the history of a repository
    reason: why steps may be missing, None where none is
    """

    registry: str
    repository: str
    tag: str | None
    items: tuple[HistoryStep, ...]
    next_cursor: str | None
    reason: str | None
