"""The history of a tag, or of what the newest image of a repository was: steps, the
latest first, with what each weighs, by how much it grew, and which lines did it.

A page costs the same however long the history is: so many moves, images and layers are
read and no more.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, Row, select

from weighbridge.domain.growth.cause import CHANGES, Cause, compare_images
from weighbridge.domain.growth.newest import DECIDING_IMAGES
from weighbridge.domain.growth.tag_history import (
    NewestImage,
    StepBy,
    StepGrowth,
    StepSize,
    TagMove,
    arrivals,
    growth_of,
    newest_over_time,
)
from weighbridge.domain.image.image_base import BaseInWords, ImageBase
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.report.history import (
    HistoryReport,
    HistoryStep,
    StepLine,
)
from weighbridge.domain.size.weigh_image import weigh_image
from weighbridge.domain.size.weighing import WeighedImage
from weighbridge.store.bases.image_bases import load_bases
from weighbridge.store.facts.stored_images import load_images
from weighbridge.store.models import repositories, repository_summaries
from weighbridge.store.models.types import microseconds, moment_of
from weighbridge.store.named_rows import find_place
from weighbridge.store.paging import (
    NUMBER,
    CursorForm,
    check_limit,
    one_of,
    read_cursor,
    write_cursor,
)
from weighbridge.store.read_model.streams import StreamImage
from weighbridge.store.reports.tag_moves import (
    END_OF_TIME,
    find_moved_tag,
    moves_of_repository,
    moves_of_tag,
)
from weighbridge.store.reports.target_images import TargetImage, target_images
from weighbridge.store.violations.violation_rows import kept_instruction

_summary = repository_summaries.c
HISTORY_CURSOR: Final = CursorForm(one_of("history"), NUMBER, NUMBER)
NAMES: Final = 50
"""Tags of a step that are named."""
_LAYERS: Final = 20_000
_PAIRS: Final = 2_500_000
"""Layers that are read, and pairs of lines that are compared, for one page: a stranger
may push images of thousands of both."""
_TICK: Final = timedelta(microseconds=1)

_EARLIEST: Final = microseconds(END_OF_TIME.replace(year=1))
_LATEST: Final = microseconds(END_OF_TIME)
_NO_IMAGE: Final = dict.fromkeys(StreamImage._fields)


class HistoryQuery(Struct, frozen=True):
    """Which history.

    tag:      None: of the repository
    platform: None: of the first of those that are shown
    since:    steps that began before it are left out
    leaves_tags_out: whether the configuration has tags that are not read
    """

    registry: str
    repository: str
    tag: str | None = None
    platform: Platform | None = None
    since: datetime | None = None
    limit: int = 100
    cursor: str | None = None
    leaves_tags_out: bool = False


class _Steps(Struct, frozen=True):
    """Steps, oldest first; the first `earlier` of them only say what came before.

    after: the cursor of those before them, None where there are none
    """

    steps: Sequence[NewestImage]
    earlier: int
    after: str | None
    reason: str | None = None


def history_page(
    connection: Connection,
    query: HistoryQuery,
    now: datetime,
    shown: Sequence[Platform] = (DEFAULT,),
) -> HistoryReport | None:
    """One page of a history, the latest step first; None where the repository or the
    tag is not known.

    now:   by which a base's names are chosen
    shown: the platforms in the order in which one of them speaks for an index
    Raises UsageError(invalid_limit, invalid_cursor).
    """
    check_limit(query.limit)
    place = find_place(connection, query.registry, query.repository)
    if place is None:
        return None
    found: _Steps | None
    if query.tag is None:
        found = _of_repository(connection, place.id, query)
    else:
        found = _of_tag(connection, place.id, query.tag, query)
    if found is None:
        return None
    items = _items(connection, place.scope_id, found, query.platform, shown, now)
    if query.tag is None and query.platform is None:
        items = _with_baseline(connection, place.id, items)
    if query.since is not None:
        kept = [item for item in items if item.at >= query.since]
        if len(kept) < len(items):
            found = replace(found, after=None)
        items = kept
    return HistoryReport(
        query.registry,
        query.repository,
        query.tag,
        tuple(items),
        found.after,
        found.reason
        or _doubt(connection, place.id)
        or (_LEFT_OUT if query.leaves_tags_out else None),
    )


def _before(cursor: str | None) -> tuple[datetime, datetime] | None:
    """The times before which moves were seen, and steps begin."""
    if cursor is None:
        return None
    _, seen, at = read_cursor(cursor, HISTORY_CURSOR)
    return _moment(seen), _moment(at)


def _moment(number: object) -> datetime:
    """Any number is a time: what is no time of ours has nothing before or after it."""
    assert isinstance(number, int)  # noqa: S101 - the form of the cursor says so
    return moment_of(max(_EARLIEST, min(number, _LATEST)))


def _cursor(seen: datetime, at: datetime) -> str:
    return write_cursor("history", microseconds(seen), microseconds(at))


def _of_tag(
    connection: Connection, repository_id: int, name: str, query: HistoryQuery
) -> _Steps | None:
    tag = find_moved_tag(connection, repository_id, name)
    if tag is None:
        return None
    seen, _ = _before(query.cursor) or (END_OF_TIME, END_OF_TIME)
    most = query.limit + DECIDING_IMAGES
    own, others = moves_of_tag(connection, repository_id, tag, seen, most + 1)
    is_more = len(own) > query.limit
    earlier = max(len(own) - query.limit, 0)
    steps = [_step_of_tag(move, others) for move in own]
    after = _cursor(own[earlier].seen_at, own[earlier].seen_at) if is_more else None
    return _Steps(steps, earlier, after)


def _step_of_tag(move: TagMove, others: Sequence[TagMove]) -> NewestImage:
    """A move of a tag, with the names of those that came with it."""
    beside = [other for other in others if other.target == move.target]
    together = next(
        arrival
        for arrival in arrivals([move, *beside])
        if move.tag in arrival.tags and arrival.at <= move.at
    )
    arrival = replace(
        together,
        at=move.at,
        seen_at=move.seen_at,
        until=move.until,
        pushed_at=move.pushed_at,
    )
    by: StepBy = "first_seen" if move.is_first else "moved"
    return NewestImage(move.at, by, arrival, move.until)


def _of_repository(
    connection: Connection, repository_id: int, query: HistoryQuery
) -> _Steps:
    before = _before(query.cursor)
    newest_tag = _newest(connection, repository_id).newest_tag
    found = moves_of_repository(
        connection, repository_id, None if before is None else before[0], newest_tag
    )
    steps = newest_over_time(found.moves, newest_tag)
    seen, until = before or (END_OF_TIME, END_OF_TIME)
    steps = [_ended(step, until) for step in steps if step.at < until]
    earlier = 0
    if found.since is not None:
        # What was the newest then is known, and not since when.
        gone = sum(step.at <= found.since for step in steps)
        steps = steps[max(gone - 1, 0) :]
        earlier = min(gone, 1)
    least = earlier
    if found.since is not None and len(steps) > DECIDING_IMAGES + 1:
        earlier = DECIDING_IMAGES
    earlier = max(len(steps) - query.limit, earlier)
    after = None
    if earlier > least:
        first = steps[earlier]
        # What was there before the first crawl was seen later than it came.
        came_late = first.at < first.arrival.seen_at
        after = _cursor(found.before if came_late else first.at, first.at)
    elif found.since is not None:
        # Of a moment at which more came than are read at once the rest is left out.
        behind = found.since + _TICK
        behind = found.since if behind >= seen else behind
        after = _cursor(behind, steps[earlier].at if steps[earlier:] else until)
    reason = "more tags were there at the first crawl than are looked through"
    first_read = max(earlier - DECIDING_IMAGES, 0)
    return _Steps(
        steps[first_read:],
        earlier - first_read,
        after,
        reason if found.is_part else None,
    )


def _newest(connection: Connection, repository_id: int) -> Row[*tuple[Any, ...]]:
    """What the read model says of the newest image."""
    return connection.execute(
        select(
            _summary.newest_tag,
            _summary.newest_compressed_bytes,
            _summary.baseline_compressed_bytes,
        ).where(_summary.repository_id == repository_id)
    ).one()


def _with_baseline(
    connection: Connection, repository_id: int, items: list[HistoryStep]
) -> list[HistoryStep]:
    """The newest image's baseline is that of its repository, wherever it is shown."""
    newest = _newest(connection, repository_id)
    if not items or items[0].until is not None or newest.newest_tag is None:
        return items
    if items[0].compressed_bytes != newest.newest_compressed_bytes:
        return items
    baseline = newest.baseline_compressed_bytes
    return [replace(items[0], baseline_compressed_bytes=baseline), *items[1:]]


def _ended(step: NewestImage, until: datetime) -> NewestImage:
    """The step, which ends when the next one begins that is on the page before."""
    if until == END_OF_TIME or (step.until is not None and step.until <= until):
        return step
    return replace(step, until=until)


_LEFT_OUT: Final = "tags are left out by the configuration (tags)"
_DOUBTS: Final = {
    "new": "it was never crawled to its end",
    "partial": "its last crawl was not complete",
}


def _doubt(connection: Connection, repository_id: int) -> str | None:
    """Why moves may be missing, None where all were seen."""
    row = connection.execute(
        select(repositories).where(repositories.c.id == repository_id)
    ).one()
    if row.deleted_at is not None:
        return "the registry does not have it any more"
    if row.state == "ok":
        held = "tags that were not listed are held back until a second crawl agrees"
        return held if row.held else None
    words: str = _DOUBTS.get(row.state, f"its last crawl failed: {row.state}")
    is_said = row.state_reason and row.state_reason != row.state
    return f"{words} ({row.state_reason})" if is_said else words


def _items(
    connection: Connection,
    scope_id: int,
    found: _Steps,
    platform: Platform | None,
    shown: Sequence[Platform],
    now: datetime,
) -> list[HistoryStep]:
    """The rows, the latest first."""
    targets = {step.arrival.target for step in found.steps}
    led = target_images(connection, scope_id, targets, platform, shown)
    of_steps = [led[step.arrival.target] for step in found.steps]
    growth = growth_of([_size(each) for each in of_steps])
    places = range(len(found.steps) - 1, found.earlier - 1, -1)
    compared = [
        image
        for place in places
        for each in (place, growth[place].before)
        if each is not None and (image := of_steps[each].image) is not None
    ]
    comparing = _Comparing(
        _weighed(connection, scope_id, compared),
        load_bases(connection, {image.id for image in compared}, now),
    )
    rows = []
    for place in places:
        before = growth[place].before
        was = None if before is None else of_steps[before].image
        rows.append(
            _row(found.steps[place], of_steps[place], growth[place], was, comparing)
        )
    return rows


def _size(target: TargetImage) -> StepSize | None:
    if target.platform is None or target.image is None:
        return None
    # A version of Windows is another one with every build.
    platform = str(replace(target.platform, os_version=""))
    return StepSize(platform, target.image.digest, target.image.compressed_bytes)


def _weighed(
    connection: Connection, scope_id: int, wanted: Sequence[StreamImage]
) -> dict[int, WeighedImage]:
    """Layers and lines, of as many as may be read for one page, by their ids."""
    ids: list[int] = []
    left = _LAYERS
    for image in dict.fromkeys(wanted):
        left -= image.layers
        if left < 0:
            break
        ids.append(image.id)
    stored = load_images(connection, ids, scope_id) if ids else {}
    return {
        number: weigh_image(each.image, each.measured)
        for number, each in stored.items()
    }


class _Comparing:
    """Compares images, as many as there is time for."""

    def __init__(
        self,
        weighed: Mapping[int, WeighedImage],
        bases: Mapping[int, BaseInWords],
    ) -> None:
        self._weighed = weighed
        self._bases = bases
        self._left = _PAIRS

    def base(self, image: StreamImage) -> ImageBase | None:
        """What it stands on; without bytes where its layers were not read."""
        words, weighed = self._bases.get(image.id), self._weighed.get(image.id)
        if words is None:
            return None
        if weighed is None:
            return replace(words.within((), 0), compressed_bytes=None, share=None)
        sizes = ((layer.digest, layer.compressed_bytes) for layer in weighed.layers)
        return words.within(sizes, weighed.compressed_bytes)

    def lines(self, image: StreamImage) -> tuple[StepLine, ...] | None:
        """The heaviest of an image, the heaviest first; None where it was not read."""
        weighed = self._weighed.get(image.id)
        if weighed is None:
            return None
        found = [
            StepLine(kept_instruction(line.instruction), line.compressed_bytes)
            for line in weighed.lines
            if line.compressed_bytes != 0
        ]
        found.sort(key=lambda line: -(line.compressed_bytes or 0))
        return tuple(found[:CHANGES])

    def cause(self, before: StreamImage | None, image: StreamImage) -> Cause | None:
        """What made the difference; None where it cannot be told."""
        was = None if before is None else self._weighed.get(before.id)
        now = self._weighed.get(image.id)
        if was is None or now is None or was is now:
            return None
        self._left -= len(was.lines) * len(now.lines)
        if self._left < 0:
            return None
        base = self._bases.get(image.id)
        shared_layers = base.layers if base is not None else None
        cause = compare_images(was, now, shared_layers=shared_layers or 0)
        changes = tuple(
            replace(change, instruction=kept_instruction(change.instruction))
            for change in cause.changes
        )
        return replace(cause, changes=changes)


def _row(
    step: NewestImage,
    target: TargetImage,
    growth: StepGrowth,
    before: StreamImage | None,
    comparing: _Comparing,
) -> HistoryStep:
    arrival, image = step.arrival, target.image
    base = lines = cause = None
    reason = target.reason
    if image is not None:
        base, lines = comparing.base(image), comparing.lines(image)
        cause = comparing.cause(before, image)
        if lines is None and reason is None:
            reason = "too_large"
    numbers = _NO_IMAGE if image is None else image._asdict()
    return HistoryStep(
        at=step.at,
        seen_at=arrival.seen_at,
        pushed_at=arrival.pushed_at,
        until=step.until,
        by=step.by,
        tags=arrival.tags[:NAMES],
        tag_count=len(arrival.tags),
        digest=target.digest,
        kind=target.kind,
        platform=None if target.platform is None else str(target.platform),
        image=None if image is None else image.digest,
        compressed_bytes=numbers["compressed_bytes"],
        compressed_confidence=numbers["compressed_confidence"],
        claimed_bytes=numbers["claimed_bytes"],
        uncompressed_bytes=numbers["uncompressed_bytes"],
        uncompressed_confidence=numbers["uncompressed_confidence"],
        layers=numbers["layers"],
        before_digest=None if before is None else before.digest,
        grown_bytes=growth.grown_bytes,
        baseline_compressed_bytes=growth.baseline_bytes,
        base=base,
        lines=lines,
        cause=cause,
        reason=reason,
    )
