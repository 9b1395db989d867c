"""What came before an image: by its tag, or by others that differ in numbers only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from weighbridge.domain.digest import Digest
from weighbridge.domain.newest import Candidate, baseline, ranked
from weighbridge.domain.platform import Platform
from weighbridge.domain.stream import stream_of
from weighbridge.store.judged_repository import JudgedRepository
from weighbridge.store.session import Connection
from weighbridge.store.stream_images import StreamImage, images_of
from weighbridge.store.streams import Pointed, StreamTag, read_streams

_ENOUGH: Final = 3
"""Different things that a tag has pointed to before, which make a baseline."""


class Before(NamedTuple):
    """The image before one, and what those before it weigh in the middle."""

    image: StreamImage | None
    baseline_compressed_bytes: int | None


@dataclass(frozen=True, slots=True)
class StreamHistory:
    """What tags have pointed to, and the images of that by target and platform.

    own:    of each tag that is judged, by its id
    others: of all tags like it, by `stream_of` their names
    """

    own: Mapping[int, Sequence[Pointed]]
    others: Mapping[str, Sequence[Pointed]]
    images: Mapping[int, Mapping[str, StreamImage]]
    now: datetime

    def before(self, tag_id: int, platform: str, digest: Digest) -> Before:
        """Before the image that a tag has come to.

        A tag that has a past of its own is compared with that: `9-jre` has not grown
        because `8-jre` is smaller. One that was moved less than three times has grown
        only where it is heavier than itself and than others like it.
        """
        own = self.own[tag_id]
        mine = self._before(own, platform, digest)
        if mine.baseline_compressed_bytes is not None:
            return mine
        others = self.others.get(stream_of(own[0].tag), ())
        theirs = self._before(others, platform, digest)
        if mine.image is None or theirs.baseline_compressed_bytes is None:
            return Before(mine.image or theirs.image, theirs.baseline_compressed_bytes)
        heavier = max(mine.image.compressed_bytes, theirs.baseline_compressed_bytes)
        return Before(mine.image, heavier)

    def _before(
        self, pointed: Sequence[Pointed], platform: str, digest: Digest
    ) -> Before:
        found: dict[Digest, StreamImage] = {}
        candidates = []
        for tag, target, since in pointed:
            image = self.images.get(target, {}).get(platform)
            if image is not None:
                found[image.digest] = image
                candidates.append(_candidate(tag, image, since))
        ranking = ranked(candidates, self.now)
        digests = [place.candidate.digest for place in ranking]
        if digest not in digests:
            return Before(None, None)
        start = digests.index(digest)
        last = next((d for d in digests[start:] if d != digest), None)
        image = None if last is None else found[last]
        return Before(image, baseline(ranking[start:]))


def read_history(
    connection: Connection,
    repository: JudgedRepository,
    tags: Mapping[StreamTag, Sequence[Pointed]],
    platforms: Sequence[Platform],
    now: datetime,
) -> StreamHistory:
    """Of these tags, each with what it pointed to before. Others like it are looked
    for only where it has no past that is long enough."""
    own = {tag.id: [tag.pointed, *earlier] for tag, earlier in tags.items()}
    wanted: dict[str, list[StreamTag]] = {}
    for tag, earlier in tags.items():
        if len({pointed.target for pointed in earlier}) < _ENOUGH:
            wanted.setdefault(stream_of(tag.name), []).append(tag)
    others = read_streams(connection, repository.id, wanted) if wanted else {}
    targets = {p.target for some in (*own.values(), *others.values()) for p in some}
    images = images_of(connection, repository.scope_id, targets, platforms)
    return StreamHistory(own, others, images.by_platform, now)


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
