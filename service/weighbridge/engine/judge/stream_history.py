"""What came before an image: by its tag, or by others that differ in numbers only."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec import Struct, field

from weighbridge.domain.growth.newest import Candidate, Ranked, baseline, ranked
from weighbridge.domain.growth.version import stream_of
from weighbridge.domain.image.digest import Digest
from weighbridge.engine.judge.judged_batch import JudgedBatch
from weighbridge.store.streams.earlier_targets import read_streams
from weighbridge.store.streams.latest_tags import Pointed, StreamTag
from weighbridge.store.streams.stream_images import ScopedImages, StreamImage

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
