"""Judges what changed in repositories: violations opened, carried on, ended.

All of it happens in the transaction that brought their summaries up to date, so that
what was stored and what is said of it cannot fall apart. What is asked of many
repositories is asked at once; what begins or ends is written one after the other.

Whoever lowers a limit, or raises one, changes what is over it without a push:
repositories of which policies say something else than they did are found and judged
again.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.policy.policy import limits_images
from weighbridge.engine.judge.changed_limits import is_changed, limited_by_base
from weighbridge.engine.judge.judged_batch import (
    JudgedBatch,
    Judging,
    mark_of,
    mark_over,
    sweep_many,
    sweep_page,
)
from weighbridge.engine.judge.judged_images import JudgedImage, Judgement, judge_images
from weighbridge.engine.judge.violation_episodes import Episodes, tell
from weighbridge.engine.writer.writer import TOGETHER, Writer, by_size, pieces
from weighbridge.store.bases.standing import certain_bases
from weighbridge.store.read_model.streams import StreamTag, newest_tags
from weighbridge.store.read_model.summaries import (
    JUDGED_AT_ONCE,
    JudgedRepository,
    find_judged,
    judged_page,
    refresh_many,
    stale_repositories,
)
from weighbridge.store.registries.repository_rows import end_silence
from weighbridge.store.session import Connection, lock_repositories
from weighbridge.store.tags.judged_tags import (
    AT_ONCE,
    UnjudgedTag,
    drop_unjudged,
    find_moved,
    find_newest,
    find_tags,
    find_unjudged,
    keep_waiting,
    unjudged_repositories,
)
from weighbridge.store.tags.judged_tags import PAGE as TAGS_SWEPT
from weighbridge.store.violations.violation_rows import find_open


class Changed(NamedTuple):
    """Repositories of which policies say something else than they did.

    to_judge: violations would open or end
    to_sweep: their tags were marked by other limits, or by sizes that were not known;
              how many tags each has
    after:    what to go on after; None: these were the last
    """

    to_judge: list[int]
    to_sweep: dict[int, int]
    after: int | None


def find_changed(
    connection: Connection,
    registry_id: int,
    after: int,
    judging: Judging,
    now: datetime,
) -> Changed:
    """The next ones, of at most `JUDGED_AT_ONCE` repositories. Of limits on bases time
    alone decides, and what was found out of an image since it was pushed."""
    page = judged_page(connection, registry_id, after)
    policies = judging.policies
    found = find_open(connection, [each.id for each in page])
    bases = certain_bases(connection, limited_by_base(page, policies), now)
    to_judge = [
        each.id
        for each in page
        if is_changed(each, found.get(each.id, ()), policies, bases)
    ]
    to_sweep = {
        each.id: each.tag_count
        for each in page
        if each.limits_mark != mark_of(judging, each.registry, each.name)
    }
    following = page[-1].id if len(page) == JUDGED_AT_ONCE else None
    return Changed(to_judge, to_sweep, following)


Item = TypeVar("Item")
Done = TypeVar("Done")

TAGS: Final = 500
"""So many are judged together, of several repositories."""


class Rejudging(Struct):
    """Brings repositories of one registry up to date that others have changed."""

    writer: Writer
    registry_id: int
    judging: Callable[[], Judging]
    clock: Callable[[], datetime]

    async def refresh_stale(self) -> None:
        """A crawl makes its own repository's row anew. Others are behind where a child
        of their indexes came with this crawl, or where a crawl was stopped."""
        stale = await self.writer.read(stale_repositories, self.registry_id)
        for some in pieces(stale, TOGETHER):
            await self._write(refresh_and_judge, some)
        if self.judging().is_judging:
            await self._judge_what_waits()
            await self._judge_what_stands()

    async def _judge_what_waits(self) -> None:
        """Tags that were more than fit into one transaction, and those whose image has
        been measured since."""
        waiting = await self.writer.read(unjudged_repositories, self.registry_id)
        for some in by_size(waiting, TAGS):
            left = await self._write(judge_many, some)
            for number, last in left.items():
                more = {number: last}
                while more:
                    judge_more = partial(judge_many, after=more[number])
                    more = await self._write(judge_more, [number])

    async def _judge_what_stands(self) -> None:
        """Judge repositories again where that would change something."""
        after: int | None = 0
        while after is not None:
            found = await self.writer.read(
                find_changed, self.registry_id, after, self.judging(), self.clock()
            )
            for repository_id in found.to_judge:
                await self._write(judge_standing, repository_id)
            for some in by_size(found.to_sweep, TAGS_SWEPT):
                await self._sweep(some)
            after = found.after

    async def _sweep(self, repository_ids: Sequence[int]) -> None:
        """Mark every tag of repositories anew, as many in each transaction as a page
        holds. One that moves meanwhile is marked by whoever moves it. Broken off, it is
        begun again."""
        if len(repository_ids) > 1:
            await self._write(sweep_many, repository_ids)
            return
        judging, waits = self.judging(), False
        after: str | None = ""
        while after is not None:
            after, waits = await self.writer.write(
                sweep_page, repository_ids[0], after, self.clock(), judging, waits=waits
            )

    async def _write(
        self, judge: Callable[[Connection, Item, datetime, Judging], Done], about: Item
    ) -> Done:
        return await self.writer.write(judge, about, self.clock(), self.judging())


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


FIRST: Final = -1
"""Before every tag."""
_NOTHING: Final = Judgement((), {})


def refresh_and_judge(
    connection: Connection,
    repository_ids: Sequence[int],
    now: datetime,
    judging: Judging,
    *,
    is_waiting: bool = False,
) -> None:
    """Bring repositories' rows of the read model up to date and judge what changed;
    nothing happens where nothing did.

    is_waiting: tags wait to be judged though nothing moved
    """
    changed = refresh_many(connection, repository_ids, now, judging.platforms)
    judge_many(connection, repository_ids if is_waiting else changed, now, judging)


def judge_many(
    connection: Connection,
    repository_ids: Collection[int],
    now: datetime,
    judging: Judging,
    *,
    after: int = FIRST,
) -> dict[int, int]:
    """Hold policies against the tags that moved since they were judged last.

    after: the last tag that the call before has judged. Returns that of each repository
        where more tags wait.
    """
    if not (judging.is_judging and repository_ids):
        return {}
    # No batch of them runs meanwhile: a tag that moves now is judged by whoever moved
    # it.
    lock_repositories(connection, repository_ids)
    repositories = find_judged(connection, repository_ids)
    batch = JudgedBatch(connection, repositories, judging, now)
    tags = find_unjudged(connection, list(batch.repositories), after)
    last = {n: some[-1].tag_id for n, some in tags.items() if len(some) == AT_ONCE}
    if after == FIRST:
        # What was pushed just now does not stand behind what waits for its size.
        for number, tag_id in last.items():
            tags[number] += find_moved(connection, number, tag_id)
    repositories = _end_silence(connection, repositories, tags)
    episodes = {each.id: Episodes(batch, each) for each in repositories}
    heirs = end_what_is_over(batch, episodes) if after == FIRST else {}
    judged = judge_images(batch, _with_heirs(tags, heirs))
    unknown = mark_over(batch, _marked(batch, tags))
    whole = {each.id for each in repositories if each.complete_crawls}
    images = {number: each.images for number, each in judged.items()}
    open_and_end(batch, episodes, images, whole if after == FIRST else ())
    _note_judged(connection, tags, judged, unknown)
    return last


def _end_silence(
    connection: Connection,
    repositories: Sequence[JudgedRepository],
    tags: Mapping[int, Sequence[UnjudgedTag]],
) -> list[JudgedRepository]:
    """What a registry's first crawl has found is no news when its sizes become known
    later, nor when some of it is deleted; it is with the first push after it."""
    pushed = {
        each.id
        for each in repositories
        if each.is_silent and each.complete_crawls
        if any(tag.target and not tag.is_silent for tag in tags.get(each.id, ()))
    }
    if pushed:
        end_silence(connection, pushed)
    return [
        each._replace(is_silent=False) if each.id in pushed else each
        for each in repositories
    ]


def _with_heirs(
    tags: Mapping[int, Sequence[UnjudgedTag]],
    heirs: Mapping[int, Sequence[UnjudgedTag]],
) -> dict[int, list[UnjudgedTag]]:
    found = {number: list(some) for number, some in tags.items()}
    for number, some in heirs.items():
        moved = {tag.tag_id for tag in tags.get(number, ())}
        heired = [tag for tag in some if tag.tag_id not in moved]
        found.setdefault(number, []).extend(heired)
    return found


def _marked(
    batch: JudgedBatch, tags: Mapping[int, Sequence[UnjudgedTag]]
) -> dict[int, Sequence[UnjudgedTag]]:
    """Where nothing is limited there is no mark, or a sweep takes it away."""
    return {
        number: some
        for number, some in tags.items()
        for each in [batch.repositories[number]]
        if mark_of(batch.judging, each.registry, each.name)
    }


def _note_judged(
    connection: Connection,
    tags: Mapping[int, Sequence[UnjudgedTag]],
    judged: Mapping[int, Judgement],
    unknown: Mapping[int, Collection[int]],
) -> None:
    """Have those tags wait of which something is still to be learned."""
    more: dict[int, list[UnjudgedTag]] = {}
    done: dict[int, list[int]] = {}
    for number in tags.keys() | judged.keys():
        some, lacking = tags.get(number, ()), unknown.get(number, ())
        # A tag that is not the newest waits too: it may turn out to stand over its
        # limit.
        waiting = {
            tag.tag_id: replace(tag, is_weighed=True)
            for tag in some
            if tag.tag_id in lacking
        } | dict(judged.get(number, _NOTHING).waiting)
        known = set(some)
        more[number] = [tag for tag in waiting.values() if tag not in known]
        done[number] = [tag.tag_id for tag in some if tag.tag_id not in waiting]
    keep_waiting(connection, more)
    drop_unjudged(connection, done)


def judge_standing(
    connection: Connection, repository_id: int, now: datetime, judging: Judging
) -> None:
    """Hold policies that have changed against what has not: the newest image, and
    those that violations are of. What is over now is nobody's push, and nobody is told
    of it; who was told of a violation is told of its end."""
    if not judging.is_judging:
        return
    lock_repositories(connection, [repository_id])
    repositories = find_judged(connection, [repository_id])
    judging = replace(judging, is_standing=True)
    batch = JudgedBatch(connection, repositories, judging, now)
    for repository in repositories:
        episodes = Episodes(batch, repository)
        both = {repository.id: episodes}
        names = episodes.tags
        heirs = end_what_is_over(batch, both).get(repository.id, ())
        names |= {tag.name for tag in heirs}
        wanted = {*names, repository.newest_tag or ""}
        tags = find_tags(connection, repository.id, wanted)
        judged = judge_images(batch, {repository.id: tags})
        images = [
            image if image.tag.name in names else image.without_growth()
            for image in judged.get(repository.id, _NOTHING).images
        ]
        open_and_end(batch, both, {repository.id: images}, both)


def end_first_crawls(
    connection: Connection,
    repository_ids: Sequence[int],
    now: datetime,
    judging: Judging,
) -> None:
    """Judge the newest image of repositories: their first complete crawl comes to its
    end, and of what was there before us nothing else is worth a word. Nothing of it is
    growth: nobody has pushed."""
    if not (judging.is_judging and repository_ids):
        return
    limited = [
        each
        for each in find_judged(connection, repository_ids)
        if _limits_newest(judging, each)
    ]
    if not limited:
        return
    newest = find_newest(connection, [each.id for each in limited])
    repositories = [each for each in limited if each.id in newest]
    batch = JudgedBatch(connection, repositories, judging, now)
    episodes = {each.id: Episodes(batch, each) for each in repositories}
    tags = {
        each.id: [replace(newest[each.id], is_silent=each.is_silent)]
        for each in repositories
    }
    judged = judge_images(batch, tags)
    images = {
        number: [image.without_growth() for image in each.images]
        for number, each in judged.items()
    }
    open_and_end(batch, episodes, images, episodes, is_first=True)
    keep_waiting(connection, {n: each.waiting.values() for n, each in judged.items()})


def _limits_newest(judging: Judging, repository: JudgedRepository) -> bool:
    """Whether anything but growth is limited."""
    if repository.newest_tag is None:
        return False
    limits = judging.policies.limits_of(
        repository.registry, repository.name, repository.newest_tag
    )
    is_limited = limits_images(replace(limits, max_growth=None))
    return is_limited or limits.max_deduplicated_bytes is not None
