"""Holds limits against the images that tags have come to, stream by stream, and against
what came before them: by the same tag, or by others that differ in numbers only.

A tag that is moved is a stream of its own. Tags that are pushed once are one stream
where their names differ in numbers only.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain.growth.newest import (
    Candidate,
    Ranked,
    baseline,
    natural_key,
    ranked,
    stream_of,
)
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import Finding, Limits, is_exceeded, limits_images
from weighbridge.engine.judge.judged_batch import (
    JudgedBatch,
    findings_of,
    needs_layers,
    waits_for_word,
)
from weighbridge.store.read_model.streams import (
    Pointed,
    ScopedImages,
    StreamImage,
    StreamTag,
    earlier_targets,
    read_streams,
)
from weighbridge.store.tags.judged_tags import UnjudgedTag

_ENOUGH: Final = 3
"""Different things that a tag has pointed to before, which make a baseline."""


class Before(NamedTuple):
    """The image before one, and what those before it weigh in the middle."""

    image: StreamImage | None
    baseline_compressed_bytes: int | None


class _Order:
    """The images that tags have led to, newest first. One order serves all tags that
    are judged: there may be as many of them as there are images."""

    def __init__(
        self, images: Mapping[Digest, StreamImage], order: list[Ranked]
    ) -> None:
        self._images = images
        self._order = order
        self._places: dict[Digest, int] = {}
        for place, ranking in enumerate(order):
            self._places.setdefault(ranking.candidate.digest, place)
        self._found: dict[Digest, Before] = {}

    def before(self, digest: Digest) -> Before:
        """Before the newest tag of an image."""
        if digest not in self._found:
            self._found[digest] = self._before(digest)
        return self._found[digest]

    def _before(self, digest: Digest) -> Before:
        start = self._places.get(digest)
        if start is None:
            return Before(None, None)
        for place in range(start, len(self._order)):
            last = self._order[place].candidate.digest
            if last != digest:
                return Before(self._images[last], baseline(self._order, start))
        return Before(None, None)


class StreamHistory(Struct, frozen=True):
    """What tags have pointed to, and the images of that by target and platform.

    own:    of each tag that is judged, by its id
    others: of all tags like it, by `stream_of` their names
    """

    own: Mapping[int, Sequence[Pointed]]
    others: Mapping[str, Sequence[Pointed]]
    images: ScopedImages
    scope_id: int
    now: datetime
    _orders: dict[tuple[str, str], _Order] = field(default_factory=dict)

    def before(self, tag_id: int, platform: str, digest: Digest) -> Before:
        """Before the image that a tag has come to.

        A tag that has a past of its own is compared with that: `9-jre` has not grown
        because `8-jre` is smaller. One that was moved less than three times has grown
        only where it is heavier than itself and than others like it.
        """
        own = self.own[tag_id]
        mine = self._order(own, platform).before(digest)
        if mine.baseline_compressed_bytes is not None:
            return mine
        stream = stream_of(own[0].tag)
        key = stream, platform
        if key not in self._orders:
            self._orders[key] = self._order(self.others.get(stream, ()), platform)
        theirs = self._orders[key].before(digest)
        if mine.image is None or theirs.baseline_compressed_bytes is None:
            return Before(mine.image or theirs.image, theirs.baseline_compressed_bytes)
        heavier = max(mine.image.compressed_bytes, theirs.baseline_compressed_bytes)
        return Before(mine.image, heavier)

    def _order(self, pointed: Sequence[Pointed], platform: str) -> _Order:
        found: dict[Digest, StreamImage] = {}
        candidates = []
        for tag, target, since in pointed:
            image = self.images.of(self.scope_id, target).get(platform)
            if image is not None:
                found[image.digest] = image
                candidates.append(_candidate(tag, image, since))
        return _Order(found, ranked(candidates, self.now))


def read_histories(
    batch: JudgedBatch,
    tags: Mapping[int, Mapping[StreamTag, Sequence[Pointed]]],
) -> dict[int, StreamHistory]:
    """Of these tags of each repository, each with what it pointed to before. Others
    like it are looked for only where it has no past that is long enough."""
    own = {
        number: {tag.id: [tag.pointed, *earlier] for tag, earlier in some.items()}
        for number, some in tags.items()
    }
    wanted = {number: each for number, some in tags.items() if (each := _short(some))}
    others = read_streams(batch.connection, batch.latest, wanted)
    batch.images.read(
        batch.by_scope(
            (number, [pointed.target for some in streams for pointed in some])
            for number in own
            for streams in [(*own[number].values(), *others.get(number, {}).values())]
        )
    )
    return {
        number: StreamHistory(
            own[number],
            others.get(number, {}),
            batch.images,
            batch.repositories[number].scope_id,
            batch.now,
        )
        for number in own
    }


def _short(
    tags: Mapping[StreamTag, Sequence[Pointed]],
) -> dict[str, list[StreamTag]]:
    """Those whose past makes no baseline, by the stream of their names."""
    found: dict[str, list[StreamTag]] = {}
    for tag, earlier in tags.items():
        if len({pointed.target for pointed in earlier}) < _ENOUGH:
            found.setdefault(stream_of(tag.name), []).append(tag)
    return found


def _candidate(tag: str, image: StreamImage, since: datetime | None) -> Candidate:
    # Whoever told when: streams go by time, and a registry may give it for some only.
    return Candidate(
        tag=tag,
        digest=image.digest,
        pushed_at=None,
        moved_at=since,
        created_at=image.created_at,
        compressed_bytes=image.compressed_bytes,
    )


_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class JudgedImage(Struct, frozen=True):
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


class Judgement(Struct, frozen=True):
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
    batch: JudgedBatch, tags: Mapping[int, Iterable[UnjudgedTag]]
) -> dict[int, Judgement]:
    """Hold their limits against each image of these tags of each repository."""
    chosen = _latest_of_streams(batch, tags)
    batch.images.read(
        batch.by_scope((n, [i.now.target for i in some]) for n, some in chosen.items())
    )
    found = {n: _images(batch, n, some) for n, some in chosen.items()}
    batch.images.weigh(
        batch.by_scope(
            (n, [j.image.id for j in some if needs_layers(j.limits, j.image)])
            for n, some in found.items()
        )
    )
    batch.read_bases((j.limits, j.image) for some in found.values() for j in some)
    found = {
        n: [_with_findings(batch, n, judged) for judged in some]
        for n, some in found.items()
    }
    histories = read_histories(
        batch,
        {
            n: {item.now: item.earlier for item in chosen[n]}
            for n, some in found.items()
            if any(_needs_history(judged) for judged in some)
        },
    )
    for n, history in histories.items():
        found[n] = [_with_findings(batch, n, _compared(j, history)) for j in found[n]]
    return {
        n: Judgement(tuple(found[n]), _waiting(batch, n, chosen[n], found[n]))
        for n in chosen
    }


def _latest_of_streams(
    batch: JudgedBatch, tags: Mapping[int, Iterable[UnjudgedTag]]
) -> dict[int, list[_Tag]]:
    """Without repositories in which nothing is limited."""
    limited = {n: _limited(batch, n, some) for n, some in tags.items()}
    earlier = earlier_targets(
        batch.connection, [now for some in limited.values() for _, now, _ in some]
    )
    chosen: dict[int, list[_Tag]] = {}
    for number, some in limited.items():
        streams: dict[str, list[_Tag]] = {}
        for tag, now, limits in some:
            item = _Tag(tag, now, limits, earlier.get(tag.tag_id, ()))
            streams.setdefault(item.stream, []).append(item)
        if streams:
            chosen[number] = [
                item for each in streams.values() for item in _newest(each)
            ]
    return chosen


def _limited(
    batch: JudgedBatch, repository_id: int, tags: Iterable[UnjudgedTag]
) -> list[tuple[UnjudgedTag, StreamTag, Limits]]:
    repository = batch.repositories[repository_id]
    found: list[tuple[UnjudgedTag, StreamTag, Limits]] = []
    for tag in tags:
        limits = batch.judging.policies.limits_of(
            repository.registry, repository.name, tag.name
        )
        if tag.target is not None and limits_images(limits):
            now = StreamTag(
                tag.tag_id, tag.name, tag.target, tag.moved_at, tag.pushed_at
            )
            found.append((tag, now, limits))
    return found


def _images(
    batch: JudgedBatch, repository_id: int, chosen: Iterable[_Tag]
) -> list[JudgedImage]:
    scope_id = batch.repositories[repository_id].scope_id
    return [
        JudgedImage(item.stream, platform, item.tag, image, item.limits)
        for item in chosen
        for platform, image in batch.images.of(scope_id, item.now.target).items()
    ]


def _waiting(
    batch: JudgedBatch,
    repository_id: int,
    chosen: Iterable[_Tag],
    found: Iterable[JudgedImage],
) -> Mapping[int, UnjudgedTag]:
    scope_id = batch.repositories[repository_id].scope_id
    waiting = {
        item.tag.tag_id: item.tag
        for item in chosen
        if batch.images.is_awaited(scope_id, item.now.target)
    }
    return waiting | {
        j.tag.tag_id: replace(j.tag, is_weighed=True) for j in found if j.waits
    }


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
    batch: JudgedBatch, repository_id: int, judged: JudgedImage
) -> JudgedImage:
    scope_id = batch.repositories[repository_id].scope_id
    findings = findings_of(
        batch, judged.limits, judged.image, scope_id, judged.baseline
    )
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
