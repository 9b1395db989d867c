"""Holds limits against the images that tags have come to, stream by stream.

A tag that is moved is a stream of its own. Tags that are pushed once are one stream
where their names differ in numbers only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from weighbridge.audit.image_findings import (
    findings_of,
    needs_layers,
    waits_for_word,
)
from weighbridge.audit.judging import Judging
from weighbridge.audit.stream_history import StreamHistory, read_history
from weighbridge.domain.policy import Limits
from weighbridge.domain.stream import stream_of
from weighbridge.domain.verdict import Finding, is_exceeded, limits_images
from weighbridge.domain.version import natural_key
from weighbridge.domain.weighing import WeighedImage
from weighbridge.store.judged_repository import JudgedRepository
from weighbridge.store.session import Connection
from weighbridge.store.stream_images import StreamImage, images_of, weighed_images
from weighbridge.store.streams import Pointed, StreamTag, earlier_targets
from weighbridge.store.unjudged import UnjudgedTag

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class JudgedImage:
    """An image that a tag has come to, and what each limit says of it.

    baseline: what the images before it weigh, None below three of them
    before:   the last of these
    """

    stream: str
    platform: str
    tag: UnjudgedTag
    image: StreamImage
    limits: Limits
    findings: tuple[Finding, ...] = ()
    baseline: int | None = None
    before: StreamImage | None = None

    @property
    def is_over(self) -> bool:
        """Whether any limit is exceeded."""
        return is_exceeded(self.findings)

    @property
    def waits(self) -> bool:
        """Whether a limit is about a size that is still to be asked for."""
        return waits_for_word(self.limits, self.image)

    @property
    def is_said(self) -> bool:
        """Whether it was judged by its claims before, and weighs what they say."""
        return (
            self.tag.is_weighed
            and self.image.compressed_bytes == self.image.claimed_bytes
        )

    def without_growth(self) -> "JudgedImage":
        """Where nothing has happened that could be growth."""
        kept = tuple(f for f in self.findings if f.key != "max_growth")
        return replace(self, findings=kept)


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of tags.

    images:  of the newest tag of each stream, an entry for each platform that is
             judged; more than one where tags of that image have several limits. Tags
             for which there is no limit have none
    waiting: the tags of which something is still to be learned, by their ids
    """

    images: tuple[JudgedImage, ...]
    waiting: Mapping[int, UnjudgedTag]


class _Tag(NamedTuple):
    """A tag to be judged, with what holds for it and what it pointed to before."""

    tag: UnjudgedTag
    now: StreamTag
    limits: Limits
    earlier: Sequence[Pointed]

    @property
    def stream(self) -> str:
        return self.now.name if self.earlier else stream_of(self.now.name)


def judge_images(
    connection: Connection,
    repository: JudgedRepository,
    tags: Iterable[UnjudgedTag],
    judging: Judging,
    now: datetime,
) -> Judged:
    """Hold its limits against each image of these tags."""
    chosen = _latest_of_streams(connection, repository, tags, judging)
    if not chosen:
        return Judged((), {})
    targets = {item.now.target for item in chosen}
    scope_id = repository.scope_id
    images = images_of(connection, scope_id, targets, judging.platforms)
    found = [
        JudgedImage(item.stream, platform, item.tag, image, item.limits)
        for item in chosen
        for platform, image in images.by_platform.get(item.now.target, {}).items()
    ]
    deep = [j.image.id for j in found if needs_layers(j.limits, j.image)]
    weighed = weighed_images(connection, scope_id, deep)
    found = [_with_findings(j, weighed) for j in found]
    if any(_needs_history(judged) for judged in found):
        history = read_history(
            connection,
            repository,
            {item.now: item.earlier for item in chosen},
            judging.platforms,
            now,
        )
        found = [_with_findings(_compared(j, history), weighed) for j in found]
    waiting = {t.tag.tag_id: t.tag for t in chosen if t.now.target in images.awaited}
    waiting |= {j.tag.tag_id: replace(j.tag, is_weighed=True) for j in found if j.waits}
    return Judged(tuple(found), waiting)


def _latest_of_streams(
    connection: Connection,
    repository: JudgedRepository,
    tags: Iterable[UnjudgedTag],
    judging: Judging,
) -> list[_Tag]:
    limited: list[tuple[UnjudgedTag, StreamTag, Limits]] = []
    for tag in tags:
        limits = judging.policies.limits_of(
            repository.registry, repository.name, tag.name
        )
        if tag.target is not None and limits_images(limits):
            now = StreamTag(
                tag.tag_id, tag.name, tag.target, tag.moved_at, tag.pushed_at
            )
            limited.append((tag, now, limits))
    earlier = earlier_targets(connection, [now for _, now, _ in limited])
    streams: dict[str, list[_Tag]] = {}
    for tag, now, limits in limited:
        item = _Tag(tag, now, limits, earlier.get(tag.tag_id, ()))
        streams.setdefault(item.stream, []).append(item)
    return [item for some in streams.values() for item in _newest(some)]


def _newest(items: list[_Tag]) -> list[_Tag]:
    """The newest tag of a stream. Tags of one target are one, but where limits differ
    by tag."""
    items.sort(
        key=lambda item: (item.now.pointed.since or _NEVER, natural_key(item.now.name)),
        reverse=True,
    )
    distinct: dict[Limits, _Tag] = {}
    for item in items:
        if item.now.target == items[0].now.target:
            distinct.setdefault(item.limits, item)
    return list(distinct.values())


def _with_findings(
    judged: JudgedImage, weighed: Mapping[int, WeighedImage]
) -> JudgedImage:
    findings = findings_of(judged.limits, judged.image, weighed, judged.baseline)
    if judged.is_said:
        # The rest was said before, and other images may have come since.
        findings = tuple(f for f in findings if f.key == "max_uncompressed")
    return replace(judged, findings=findings)


def _needs_history(judged: JudgedImage) -> bool:
    """Growth is against what was before, and so is the cause of whatever is over."""
    if judged.is_over:
        return True
    return judged.limits.max_growth is not None and not judged.is_said


def _compared(judged: JudgedImage, history: StreamHistory) -> JudgedImage:
    before = history.before(judged.tag.tag_id, judged.platform, judged.image.digest)
    return replace(
        judged, baseline=before.baseline_compressed_bytes, before=before.image
    )
