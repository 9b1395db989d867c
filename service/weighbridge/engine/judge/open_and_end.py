"""Opens and ends the violations of repositories that are judged together."""

from collections.abc import Collection, Iterable, Mapping

from weighbridge.engine.judge.judged_batch import JudgedBatch
from weighbridge.engine.judge.judged_images import JudgedImage
from weighbridge.engine.judge.violation_episodes import Episodes
from weighbridge.engine.judge.violation_notices import tell
from weighbridge.store.streams.earlier_targets import newest_tags
from weighbridge.store.streams.latest_tags import StreamTag
from weighbridge.store.tags.unjudged import UnjudgedTag


def end_what_is_over(
    batch: JudgedBatch, episodes: Mapping[int, Episodes]
) -> dict[int, list[UnjudgedTag]]:
    """End episodes whose limit is gone, or whose tag is. Where the stream of a tag that
    was deleted has others, the newest of these decides: returned is what to judge in
    its place."""
    streams = {number: each.end_unlimited() for number, each in episodes.items()}
    newest = newest_tags(batch.connection, batch.latest, streams)
    for number, each in episodes.items():
        each.end_orphans(newest[number])
    return {
        # Nobody pushed it just now.
        number: [UnjudgedTag(*tag, is_silent=True) for tag in some.values()]
        for number, some in newest.items()
        if some
    }


def open_and_end(
    batch: JudgedBatch,
    episodes: Mapping[int, Episodes],
    images: Mapping[int, Iterable[JudgedImage]],
    whole: Collection[int],
    *,
    is_first: bool = False,
) -> None:
    """Begin and end what the images give cause to, and have people notified: one
    repository after the other, since what was told of one decides what is told of the
    next one.

    whole:    repositories that are judged themselves, too
    is_first: their first crawl ends; what lost its tag in it is left to the next one
    """
    newest = _ask(batch, episodes, images)
    for number, each in episodes.items():
        if number in whole:
            each.judge_repository()
        each.judge(images.get(number, ()), newest.get(number, {}))
        if not is_first:
            each.end_orphans()
        tell(batch, each)
    batch.write_causes()


def _ask(
    batch: JudgedBatch,
    episodes: Mapping[int, Episodes],
    images: Mapping[int, Iterable[JudgedImage]],
) -> dict[int, dict[str, StreamTag]]:
    """Read for all what the episodes of each will ask for."""
    batch.images.weigh(
        batch.by_scope(
            (n, episodes[n].asked_images(some)) for n, some in images.items()
        )
    )
    streams = {n: episodes[n].asked_streams(some) for n, some in images.items()}
    return newest_tags(batch.connection, batch.latest, streams)
