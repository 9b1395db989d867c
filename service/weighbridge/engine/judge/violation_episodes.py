"""Opens, carries on and ends violations, and has those notified who are to know.

An episode begins when the newest image of a stream is over a limit, and ends when the
newest one is within. In between nobody is notified twice; of one that begins within a
day of the last one's end only if it is heavier than what was notified before.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import Final

from msgspec.structs import replace

from weighbridge.domain.growth.cause import Cause
from weighbridge.domain.message.grouping import NotificationEvent
from weighbridge.domain.policy.policy import (
    LIMIT_KEYS,
    TOLD_KEYS,
    Finding,
    LimitedNumbers,
    LimitKey,
    LimitState,
    verdict,
)
from weighbridge.domain.policy.quantity import QUANTITIES
from weighbridge.engine.judge.causes import Causes
from weighbridge.engine.judge.judged_batch import JudgedBatch
from weighbridge.engine.judge.judged_images import JudgedImage
from weighbridge.store.read_model.streams import StreamTag
from weighbridge.store.read_model.summaries import JudgedRepository
from weighbridge.store.violations.violation_rows import (
    ClosedBy,
    Offence,
    OpenViolation,
    ViolationKey,
    Within,
    close_violations,
    find_ended,
    find_notified,
    forget_notified,
    go_on,
    is_end_sent,
    note_notified,
    open_violation,
    read_beginning,
)

# Tags of one image may have several limits, of which the worst decides; of an estimate
# that says nothing for sure nothing begins or ends.
_WORST_FIRST: Final[Sequence[LimitState]] = ("over", "maybe", "unknown", "kept")


class Episodes:
    """The violations of one repository, while it is being judged.

    to_tell:     those that people are to be notified of
    moved_house: those of another team or severity than before
    closed:      those that ended
    """

    def __init__(self, batch: JudgedBatch, repository: JudgedRepository) -> None:
        self.repository = repository
        self.causes = Causes(batch, repository)
        self.to_tell: set[int] = set()
        self.moved_house: set[int] = set()
        self.closed: set[int] = set()
        self._connection = batch.connection
        self._judging = batch.judging
        self._now = batch.now
        self._batch = batch
        found = batch.open_of(repository.id)
        self._open = {violation.key: violation for violation in found}
        self._deleted: set[str | None] = set()

    @property
    def open(self) -> Collection[OpenViolation]:
        """Those that are not over."""
        return self._open.values()

    @property
    def tags(self) -> set[str]:
        """The tags that violations are of."""
        return {v.tag for v in self._open.values() if v.tag is not None}

    def end_unlimited(self) -> set[str]:
        """End episodes whose limit is gone. Returns the streams of others whose tag is
        over: where a stream has other tags, the newest of these decides."""
        self._end([v for v in self.open if not self._is_limited(v)], "policy")
        orphans = self._orphans()
        self._deleted = {v.tag for v in orphans}
        return {v.key.stream for v in orphans if v.key.stream != v.tag}

    def end_orphans(self, heirs: Collection[str] = ()) -> None:
        """End episodes whose tag is gone, and that no other tag has taken over; those
        of the streams of `heirs` go on until the heirs are judged."""
        self._end([v for v in self._orphans() if v.key.stream not in heirs], "deleted")

    def _orphans(self) -> list[OpenViolation]:
        return [violation for violation in self.open if not violation.is_live]

    def judge(
        self, images: Iterable[JudgedImage], newest: Mapping[str, StreamTag]
    ) -> None:
        """What these images are found to be: those of the newest tag of each stream.

        newest: tags of the streams that were asked for
        """
        streams: dict[str, dict[str, list[JudgedImage]]] = {}
        for judged in images:
            if self._is_newest(judged, newest.get(judged.stream)):
                platforms = streams.setdefault(judged.stream, {})
                platforms.setdefault(judged.platform, []).append(judged)
        for stream, platforms in streams.items():
            for some in platforms.values():
                self._judge_stream(some)
            self._end(
                [
                    violation
                    for key, violation in self._open.items()
                    if key.stream == stream and key.platform not in platforms
                ],
                "deleted",
            )

    def asked_streams(self, images: Iterable[JudgedImage]) -> set[str]:
        """Streams of which it matters what is newest: something would begin or end."""
        open_streams = {key.stream for key in self._open}
        return {
            judged.stream
            for judged in images
            if judged.stream != judged.tag.name
            and (judged.is_over or judged.stream in open_streams)
        }

    def asked_images(self, images: Iterable[JudgedImage]) -> set[int]:
        """Those with what is before them of which something would begin."""
        open_streams = {(key.stream, key.platform) for key in self._open}
        return {
            image.id
            for judged in images
            if judged.is_over and (judged.stream, judged.platform) not in open_streams
            for image in (judged.image, judged.before)
            if image is not None
        }

    def _is_newest(self, judged: JudgedImage, newest: StreamTag | None) -> bool:
        """Not where others of its stream came after its tag: a size that was long in
        coming says nothing of what is newest by now."""
        return (
            newest is None
            or judged.tag.name == self.repository.newest_tag
            or newest.target == judged.tag.target
        )

    def judge_repository(self) -> None:
        """What the repository as a whole is found to be."""
        repository = self.repository
        limits = self._judging.policies.limits_of(
            repository.registry, repository.name, ""
        )
        measured = LimitedNumbers(deduplicated_bytes=repository.deduplicated_bytes)
        for finding in verdict(limits, measured):
            if finding.key == "max_deduplicated":
                offence = Offence(
                    team=limits.team,
                    severity=limits.severity,
                    limit_amount=finding.limit_amount,
                    amount=repository.deduplicated_bytes,
                )
                key = self._key("", "", "", finding.key)
                self._apply(key, finding, offence, None, is_silent=repository.is_silent)

    def _judge_stream(self, images: Sequence[JudgedImage]) -> None:
        """The images of one platform of one stream."""
        for limit_key in LIMIT_KEYS:
            found = [
                (finding, judged)
                for judged in images
                for finding in judged.findings
                if finding.key == limit_key
            ]
            if found:
                finding, judged = min(
                    found, key=lambda pair: _WORST_FIRST.index(pair[0].keeping)
                )
                self._judge_limit(finding, judged)

    def _judge_limit(self, finding: Finding, judged: JudgedImage) -> None:
        key = self._key(judged.stream, judged.platform, judged.tag.name, finding.key)
        before = judged.before
        offence = Offence(
            team=judged.limits.team,
            severity=judged.limits.severity,
            limit_amount=finding.limit_amount,
            amount=finding.amount or 0,
            tag=judged.tag.name,
            image_id=judged.image.id,
            digest=judged.image.digest,
            pushed_at=judged.tag.pushed_at,
            baseline_compressed_bytes=judged.baseline,
            before_image_id=None if before is None else before.id,
            before_compressed_bytes=None if before is None else before.compressed_bytes,
        )
        # What happened to its base is news, whoever pushed the image and when.
        is_silent = judged.tag.is_silent and finding.key not in TOLD_KEYS
        self._apply(key, finding, offence, judged, is_silent=is_silent)

    def _apply(
        self,
        key: ViolationKey,
        finding: Finding,
        offence: Offence,
        judged: JudgedImage | None,
        *,
        is_silent: bool,
    ) -> None:
        same = self._same(key, offence.tag)
        of_policy = [v for v in same if v.key.policy == key.policy]
        if finding.keeping == "over":
            is_news = key.limit_key in TOLD_KEYS or not self._judging.is_standing
            is_silent = is_silent or self._judging.is_silent or not is_news
            is_silent = is_silent or self._batch.is_waived(
                self.repository, offence.tag, key.limit_key
            )
            self._exceed(key, of_policy, offence, judged, is_silent=is_silent)
        elif finding.keeping == "kept":
            within = Within(
                offence.amount, offence.tag, offence.image_id, offence.digest
            )
            # The image that was over the limit keeps it: it is the limit that changed.
            raised = [v for v in same if v.image_id == offence.image_id is not None]
            self._end(raised, "policy", within)
            over = [v for v in same if v.tag in self._deleted and v not in raised]
            self._end(over, "deleted", within)
            left = [v for v in same if v not in raised and v not in over]
            self._end(left, "pushed", within)

    def _same(self, key: ViolationKey, tag: str | None) -> list[OpenViolation]:
        """What is open of the same limit, that of the stream before others: the tag
        may have begun one as one of many, before it was moved."""
        found = [
            violation
            for other, violation in self._open.items()
            if (other.platform, other.limit_key) == (key.platform, key.limit_key)
            and (other.stream == key.stream or tag in (violation.tag, None))
        ]
        return sorted(found, key=lambda v: v.key.stream != key.stream)

    def _exceed(
        self,
        key: ViolationKey,
        same: Sequence[OpenViolation],
        offence: Offence,
        judged: JudgedImage | None,
        *,
        is_silent: bool,
    ) -> None:
        before = same[0] if same else None
        if before is not None and not is_silent and self._is_worse(before, offence):
            self._end([before], "pushed")
            before = None
        is_news = before is None or (before.is_silent and not is_silent)
        if is_news:
            offence = replace(offence, cause=self._find_cause(key.limit_key, judged))
        elif before is not None and judged is not None:
            offence = self._renewed(before, offence, judged)
        if before is None:
            violation = self._begin(key, offence, is_silent=is_silent)
            is_news = _is_heavier(offence, violation.notified_amount)
        else:
            goes_on = is_silent and before.is_silent
            violation = self._go_on(before, offence, is_silent=goes_on)
        if is_news and not is_silent:
            self.to_tell.add(violation.id)

    def _is_worse(self, before: OpenViolation, offence: Offence) -> bool:
        """Whether people were notified of its end, it began again without a word, and
        is heavier now than what they were notified of."""
        return (
            before.notified_amount is not None
            and _is_heavier(offence, before.notified_amount)
            and is_end_sent(self._connection, before.id)
        )

    def _renewed(
        self, going_on: OpenViolation, offence: Offence, judged: JudgedImage
    ) -> Offence:
        """What an episode began with stays its cause while its images have that line.
        One that has it no more is compared with the image before the episode."""
        if going_on.image_id == offence.image_id:
            return offence
        began = read_beginning(self._connection, going_on.id)
        if began.cause is None or self.causes.still_holds(began.cause, judged.image.id):
            return offence
        cause = self.causes.find_since(
            began.before_image_id, judged, QUANTITIES[going_on.key.limit_key]
        )
        return replace(
            offence,
            cause=cause,
            before_image_id=began.before_image_id,
            before_compressed_bytes=began.before_compressed_bytes,
        )

    def _find_cause(
        self, limit_key: LimitKey, judged: JudgedImage | None
    ) -> Cause | None:
        quantity = QUANTITIES.get(limit_key)
        if quantity is None:
            return None  # No line has done it.
        if judged is not None:
            return self.causes.find(judged, quantity)
        return self.causes.find_added(self.repository.newest_image_id)

    def _begin(
        self, key: ViolationKey, offence: Offence, *, is_silent: bool
    ) -> OpenViolation:
        """An episode of its own, unless one ended just now that was as heavy."""
        whose = (offence.team, offence.severity)
        repository_id = self.repository.id
        ended = find_ended(self._connection, repository_id, key, self._now)
        if ended is not None:
            notified = ended.notified_amount
            if notified is None or not _is_heavier(offence, notified):
                limit = offence.limit_amount
                again = OpenViolation(
                    ended.id, key, None, None, limit, is_silent, notified, whose
                )
                self.closed.discard(ended.id)
                return self._go_on(again, offence, is_silent=is_silent)
        number = open_violation(
            self._connection,
            repository_id,
            key,
            offence,
            self._now,
            is_silent=is_silent,
        )
        begun = OpenViolation(
            number,
            key,
            offence.tag,
            offence.image_id,
            offence.limit_amount,
            is_silent,
            None,
            whose,
        )
        self._open[key] = begun
        return begun

    def _go_on(
        self, violation: OpenViolation, offence: Offence, *, is_silent: bool
    ) -> OpenViolation:
        go_on(self._connection, violation.id, offence, self._now, is_silent=is_silent)
        goes_on = replace(
            violation,
            tag=offence.tag,
            image_id=offence.image_id,
            limit_amount=offence.limit_amount,
            is_silent=is_silent,
            whose=(offence.team, offence.severity),
            is_live=True,
        )
        if goes_on.whose != violation.whose and not is_silent:
            self.moved_house.add(violation.id)
        self._open[violation.key] = goes_on
        return goes_on

    def _end(
        self,
        violations: Collection[OpenViolation],
        by: ClosedBy,
        within: Within | None = None,
    ) -> None:
        ids = [violation.id for violation in violations]
        close_violations(self._connection, ids, by, self._now, within)
        for violation in violations:
            del self._open[violation.key]
        # That it was built anew is what was wanted: nobody has to be told.
        self.closed.update(v.id for v in violations if v.key.limit_key not in TOLD_KEYS)
        self.to_tell.difference_update(ids)
        self.moved_house.difference_update(ids)

    def _is_limited(self, violation: OpenViolation) -> bool:
        key = violation.key
        policy = self._batch.policy_of(self.repository, violation.tag, key.limit_key)
        return policy == key.policy

    def _key(
        self, stream: str, platform: str, tag: str, limit_key: LimitKey
    ) -> ViolationKey:
        policy = self._batch.policy_of(self.repository, tag, limit_key) or ""
        return ViolationKey(stream, platform, policy, limit_key)


def _is_heavier(offence: Offence, notified_amount: int | None) -> bool:
    """Than what was notified of, if anything was."""
    return notified_amount is None or offence.amount > notified_amount


def tell(batch: JudgedBatch, episodes: Episodes) -> None:
    """Write down who is to be notified of what was found in a repository."""
    connection = batch.connection
    if episodes.to_tell or episodes.moved_house or episodes.closed:
        # Others wait for our end from now on; what we want has to be ours by then.
        batch.lock_own()
    note_notified(connection, episodes.to_tell)
    alike = _alike(episodes)
    notified = find_notified(connection, {*alike, *episodes.moved_house}, "opened")
    # Another team or severity may have other channels; the same are not told.
    moved = episodes.moved_house & notified
    untold = _untold(episodes.open, episodes.to_tell, notified)
    _tell(batch, untold | moved, "opened")
    episodes.causes.find_again(episodes.to_tell)
    notified = find_notified(connection, episodes.closed, "opened")
    ended = find_notified(connection, notified, "resolved")
    _tell(batch, notified - ended, "resolved")
    # What was closed before anybody was notified is as if it had never been.
    still = find_notified(connection, notified, "opened")
    forget_notified(connection, notified - still)


def _tell(batch: JudgedBatch, ids: Collection[int], event: NotificationEvent) -> None:
    if ids:
        batch.judging.tell(batch.connection, sorted(ids), event, batch.now)


def _alike(episodes: Episodes) -> list[int]:
    """Those that are to be told, and all others of the same images."""
    groups = _by_image(episodes.open)
    return [n for ids in groups if not episodes.to_tell.isdisjoint(ids) for n in ids]


def _untold(
    violations: Iterable[OpenViolation], wanted: Set[int], notified: Set[int]
) -> set[int]:
    """Those of the wanted violations that are to be told of: one of each image, unless
    somebody was told of that image before."""
    return {
        next(number for number in ids if number in wanted)
        for ids in _by_image(violations)
        if not wanted.isdisjoint(ids) and notified.isdisjoint(ids)
    }


def _by_image(violations: Iterable[OpenViolation]) -> list[list[int]]:
    found: dict[object, list[int]] = {}
    for violation in violations:
        found.setdefault(_image_of(violation), []).append(violation.id)
    return list(found.values())


def _image_of(violation: OpenViolation) -> object:
    """By what several tags are told as one: the image, and what is wrong with it."""
    if violation.image_id is None:
        return violation.id
    key = violation.key
    return violation.image_id, key.platform, key.policy, key.limit_key
