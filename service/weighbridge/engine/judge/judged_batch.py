"""What images are judged by, and repositories that are judged in one transaction: what
is read for all of them, what their limits say of an image as the database has it, and
which of their tags stand over a limit.

Violations are of the newest image of each stream, and people are notified of these. A
heavier tag that is older is still pulled: it is marked, counted and listed, and nobody
is notified of it. Tags are marked as they move, and all of a repository where its
limits say something else than when they were marked last, or sizes have become known
since.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.growth.cause import Cause
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.message.grouping import NotificationEvent
from weighbridge.domain.policy.base_limits import CertainBase
from weighbridge.domain.policy.policy import (
    NO_POLICIES,
    Finding,
    LimitedNumbers,
    LimitKey,
    Limits,
    PolicySet,
    limits_base,
    limits_images,
    measured_image,
    verdict,
)
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.store.bases.standing import certain_bases
from weighbridge.store.models.types import bounded
from weighbridge.store.outbox.filling import put_notifications
from weighbridge.store.read_model.streams import LatestTags, ScopedImages, StreamImage
from weighbridge.store.read_model.summaries import (
    FEW_TAGS,
    JudgedRepository,
    find_judged,
)
from weighbridge.store.session import Connection, lock_repositories, lock_summaries
from weighbridge.store.tags.judged_tags import (
    PAGE,
    OverTag,
    UnjudgedTag,
    all_tags_to_sweep,
    note_swept,
    put_over_tags,
    tags_to_sweep,
)
from weighbridge.store.violations.violation_rows import (
    OpenViolation,
    find_open,
    lock_own,
    set_cause,
)
from weighbridge.store.violations.waivers import active_waivers

Tell: TypeAlias = Callable[
    [Connection, Sequence[int], NotificationEvent, datetime], None
]
"""Writes down who is to be told of these violations, in the same transaction."""


def plan_no_notices(
    connection: Connection,
    violation_ids: Sequence[int],
    event: NotificationEvent,
    now: datetime,
) -> None:
    """Where nobody is to be told of anything."""


class Judging(Struct, frozen=True):
    """What images are judged by, as it is at this moment.

    platforms: of a registry, those that are judged; the first one speaks for an index
    is_silent: nobody is told of what is found now: somebody crawls by hand
    is_standing: nobody has pushed: of what is found now only what has happened to bases
               is told
    """

    policies: PolicySet
    platforms: tuple[Platform, ...] = (DEFAULT,)
    tell: Tell = plan_no_notices
    is_silent: bool = False
    is_standing: bool = False

    @property
    def is_judging(self) -> bool:
        """Whether anything is judged; else what is to be judged goes on waiting."""
        return self.policies is not NO_POLICIES


def tell_ends(
    connection: Connection,
    violation_ids: Sequence[int],
    event: NotificationEvent,
    now: datetime,
) -> None:
    """Of a crawl by hand nobody is told; but who was told of a violation by a service
    is told of its end, whoever finds that."""
    put_notifications(connection, violation_ids, event, (), now)


class Judges(Struct, frozen=True):
    """Whoever stores images asks here each time, so that policies that were read again
    hold for the next image of a crawl that is under way.

    policies:  those in force
    tell:      see `bootstrap.engine.assembly`
    is_silent: nobody is told of what is found: somebody crawls by hand
    """

    policies: Callable[[], PolicySet]
    tell: Tell = plan_no_notices
    is_silent: bool = False

    def of(self, platforms: tuple[Platform, ...]) -> Judging:
        """For images of which these platforms are looked at."""
        return Judging(self.policies(), platforms, self.tell, self.is_silent)


class JudgedBatch:
    """Whatever is asked of one of them is read for all, and read once.

    images: of what their tags point to
    latest: their tags
    causes: what is known by now of violations of repositories that are not judged
    """

    def __init__(
        self,
        connection: Connection,
        repositories: Iterable[JudgedRepository],
        judging: Judging,
        now: datetime,
    ) -> None:
        self.connection = connection
        self.repositories = {each.id: each for each in repositories}
        self.judging = judging
        self.now = now
        self.images = ScopedImages(connection, judging.platforms)
        self.latest = LatestTags(
            connection,
            {n for n, each in self.repositories.items() if each.tag_count <= FEW_TAGS},
        )
        self.causes: dict[int, Cause] = {}
        self._bases: dict[int, CertainBase] = {}
        self._is_locked = False

    @cached_property
    def waivers(self) -> ActiveWaivers:
        """Those that are in force."""
        return active_waivers(self.connection, self.now)

    @cached_property
    def _open(self) -> Mapping[int, Sequence[OpenViolation]]:
        return find_open(self.connection, self.repositories)

    def open_of(self, repository_id: int) -> Sequence[OpenViolation]:
        """The violations of a repository as they were before it was judged."""
        return self._open.get(repository_id, ())

    def read_bases(self, images: Iterable[tuple[Limits, StreamImage]]) -> None:
        """Look up what these images stand on, where a limit is about it."""
        wanted = {image.id for limits, image in images if limits_base(limits)}
        fresh = wanted - self._bases.keys()
        self._bases |= certain_bases(self.connection, fresh, self.now)

    def base_of(self, image_id: int) -> CertainBase | None:
        """What an image stands on; None: that is not certain, or was not looked up."""
        return self._bases.get(image_id)

    def by_scope(
        self, wanted: Iterable[tuple[int, Collection[int]]]
    ) -> dict[int, set[int]]:
        """What is wanted for each repository, put together by storage scope."""
        found: dict[int, set[int]] = {}
        for repository_id, some in wanted:
            scope_id = self.repositories[repository_id].scope_id
            found.setdefault(scope_id, set()).update(some)
        return found

    def lock_own(self) -> None:
        """Take the violations of all of these before the first one of another
        repository is taken, and before others wait for our commit: see
        `violation_rows.lock_own`."""
        if not self._is_locked:
            lock_own(self.connection, self.repositories, self.now)
            self._is_locked = True

    def policy_of(
        self, repository: JudgedRepository, tag: str | None, limit_key: LimitKey
    ) -> str | None:
        """The name of the policy that sets a limit for a tag ("" or None for what is of
        the repository); None: there is none."""
        decided = self.judging.policies.explain(
            repository.registry, repository.name, tag or ""
        )
        for one in decided:
            if one.key == limit_key and one.policy and one.value is not None:
                return one.policy.name
        return None

    def is_waived(
        self, repository: JudgedRepository, tag: str | None, limit_key: LimitKey
    ) -> bool:
        """Whether somebody has accepted that a tag exceeds this limit."""
        waiver = self.waivers.find(
            repository.registry, repository.name, tag or "", limit_key, self.now
        )
        return waiver is not None

    def write_causes(self) -> None:
        """Each once: PostgreSQL checks the reference of a row that is changed twice,
        and waits for whoever has that repository and may be waiting for this row."""
        for violation_id, cause in sorted(self.causes.items()):
            set_cause(self.connection, violation_id, cause)


def needs_layers(limits: Limits, image: StreamImage) -> bool:
    """Whether its totals do not say all that its limits are about."""
    if limits.max_layer_compressed_bytes is not None:
        return True
    is_estimate = image.uncompressed_confidence in ("estimate", "unknown")
    return limits.max_uncompressed_bytes is not None and is_estimate


def waits_for_size(limits: Limits, image: StreamImage) -> bool:
    """Whether a limit is about a size that is still to be measured."""
    is_limited = limits.max_uncompressed_bytes is not None
    return is_limited and image.uncompressed_confidence is None


def waits_for_word(limits: Limits, image: StreamImage) -> bool:
    """Whether a limit is about bytes, and the registry was not asked about all of the
    image's layers yet: it is judged by what its manifest claims, and again later."""
    return not image.is_whole and limits_images(_of_bytes(limits))


def _of_bytes(limits: Limits) -> Limits:
    return replace(
        limits,
        max_layers=None,
        allowed_bases=None,
        max_base_age_s=None,
        notify_base_moved=None,
    )


def findings_of(
    batch: JudgedBatch,
    limits: Limits,
    image: StreamImage,
    scope_id: int,
    baseline: int | None,
) -> tuple[Finding, ...]:
    """What each limit says of it.

    batch:    layers are asked for only where totals do not say it; what it stands on
              was looked up
    baseline: compressed bytes of the images before it, None: growth is not judged
    """
    if needs_layers(limits, image):
        known = batch.images.weighed(scope_id, image.id)
        if known is not None:
            base = batch.base_of(image.id)
            return verdict(limits, measured_image(known, baseline, base))
    measured = LimitedNumbers(
        compressed_bytes=image.compressed_bytes,
        uncompressed_bytes=image.uncompressed_bytes,
        layers=image.layers,
        baseline_compressed_bytes=baseline,
        base=batch.base_of(image.id),
    )
    return verdict(limits, measured)


class _Limited(NamedTuple):
    """A tag with the limits that it can stand over."""

    tag: UnjudgedTag
    target: int
    limits: Limits


def mark_over(
    batch: JudgedBatch, tags: Mapping[int, Sequence[UnjudgedTag]]
) -> dict[int, set[int]]:
    """Keep which limits these tags of each repository exceed as they stand. Returns
    those of which a size that a limit is about is not known yet, by their ids."""
    limited = {number: _limited(batch, number, some) for number, some in tags.items()}
    batch.images.read(
        batch.by_scope(
            (n, [each.target for each in some]) for n, some in limited.items()
        )
    )
    shown = {
        number: [
            (each, platform, image)
            for each in some
            for platform, image in batch.images.of(
                batch.repositories[number].scope_id, each.target
            ).items()
        ]
        for number, some in limited.items()
    }
    batch.images.weigh(
        batch.by_scope(
            (n, [i.id for each, _, i in some if needs_layers(each.limits, i)])
            for n, some in shown.items()
        )
    )
    batch.read_bases((e.limits, i) for some in shown.values() for e, _, i in some)
    found = [
        over
        for number, some in shown.items()
        for each, platform, image in some
        for over in _over(batch, batch.repositories[number], each, platform, image)
    ]
    having = {row.repository_id for row in found}
    put_over_tags(
        batch.connection,
        {
            number: [tag.tag_id for tag in some]
            for number, some in tags.items()
            if number in having or batch.repositories[number].over_tags
        },
        found,
    )
    return {
        number: {
            *(e.tag.tag_id for e, _, i in shown[number] if waits_for_size(e.limits, i)),
            *(
                each.tag.tag_id
                for each in some
                if batch.images.is_awaited(
                    batch.repositories[number].scope_id, each.target
                )
            ),
        }
        for number, some in limited.items()
    }


def _limited(
    batch: JudgedBatch, repository_id: int, tags: Sequence[UnjudgedTag]
) -> list[_Limited]:
    repository = batch.repositories[repository_id]
    return [
        _Limited(tag, tag.target, limits)
        for tag in tags
        if tag.target is not None
        and limits_images(limits := _standing(batch.judging, repository, tag.name))
    ]


def _over(
    batch: JudgedBatch,
    repository: JudgedRepository,
    limited: _Limited,
    platform: str,
    image: StreamImage,
) -> Iterator[OverTag]:
    tag, _, limits = limited
    for finding in findings_of(batch, limits, image, repository.scope_id, None):
        if finding.keeping == "over":
            yield OverTag(
                repository.id,
                tag.tag_id,
                platform,
                finding.key,
                batch.policy_of(repository, tag.name, finding.key) or "",
                limits.team,
                limits.severity,
                image.id,
                bounded(finding.limit_amount),
                bounded(finding.amount or 0),
            )


def _standing(judging: Judging, repository: JudgedRepository, tag: str) -> Limits:
    """Limits that a tag can stand over: growth is a push's, and what is stored the
    repository's."""
    limits = judging.policies.limits_of(repository.registry, repository.name, tag)
    return replace(
        limits, max_growth=None, notify_base_moved=None, max_deduplicated_bytes=None
    )


def mark_of(judging: Judging, registry: str, repository: str) -> str:
    """What tags of a repository are marked by; "": none of them has a limit that it
    can stand over."""
    mark = judging.policies.mark_of(registry, repository)
    platforms = ",".join(map(str, judging.platforms))
    return f"{mark} {platforms}" if mark else ""


def sweep_page(
    connection: Connection,
    repository_id: int,
    after: str,
    now: datetime,
    judging: Judging,
    *,
    waits: bool = False,
) -> tuple[str | None, bool]:
    """Mark the next tags; what to go on after, None behind the last of them, and
    whether a size is lacking so far."""
    lock_repositories(connection, [repository_id])
    lock_summaries(connection, [repository_id])
    batch = JudgedBatch(
        connection, find_judged(connection, [repository_id]), judging, now
    )
    repository = batch.repositories.get(repository_id)
    if repository is None:
        return None, waits
    tags = tags_to_sweep(connection, repository_id, after)
    waits = bool(mark_over(batch, {repository_id: tags})[repository_id]) or waits
    if len(tags) == PAGE:
        return tags[-1].name, waits
    mark = mark_of(judging, repository.registry, repository.name)
    note_swept(connection, {repository_id: (mark, waits)})
    return None, waits


def sweep_many(
    connection: Connection,
    repository_ids: Sequence[int],
    now: datetime,
    judging: Judging,
) -> None:
    """Mark all tags of these repositories."""
    lock_repositories(connection, repository_ids)
    lock_summaries(connection, repository_ids)
    batch = JudgedBatch(
        connection, find_judged(connection, repository_ids), judging, now
    )
    unknown = mark_over(batch, all_tags_to_sweep(connection, list(batch.repositories)))
    note_swept(
        connection,
        {
            number: (mark_of(judging, each.registry, each.name), bool(unknown[number]))
            for number, each in batch.repositories.items()
        },
    )
