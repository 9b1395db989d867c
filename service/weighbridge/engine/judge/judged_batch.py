"""What images are judged by, and repositories that are judged in one transaction: what
is read for all of them, and what their limits say of an image as the database has it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.growth.cause import Cause
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.message.grouping import NotificationEvent
from weighbridge.domain.policy.policy import (
    NO_POLICIES,
    Finding,
    LimitedNumbers,
    LimitKey,
    Limits,
    PolicySet,
    limits_images,
    measured_image,
    verdict,
)
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.store.outbox.filling import put_notifications
from weighbridge.store.read_model.streams import LatestTags, ScopedImages, StreamImage
from weighbridge.store.read_model.summaries import FEW_TAGS, JudgedRepository
from weighbridge.store.session import Connection
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
    """

    policies: PolicySet
    platforms: tuple[Platform, ...] = (DEFAULT,)
    tell: Tell = plan_no_notices
    is_silent: bool = False

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
    tell:      see `bootstrap.engine.delivery_parts`
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
    return not image.is_whole and limits_images(replace(limits, max_layers=None))


def findings_of(
    limits: Limits,
    image: StreamImage,
    images: ScopedImages,
    scope_id: int,
    baseline: int | None,
) -> tuple[Finding, ...]:
    """What each limit says of it.

    images:   layers are asked for only where totals do not say it
    baseline: compressed bytes of the images before it, None: growth is not judged
    """
    if needs_layers(limits, image):
        known = images.weighed(scope_id, image.id)
        if known is not None:
            return verdict(limits, measured_image(known, baseline))
    measured = LimitedNumbers(
        compressed_bytes=image.compressed_bytes,
        uncompressed_bytes=image.uncompressed_bytes,
        layers=image.layers,
        baseline_compressed_bytes=baseline,
    )
    return verdict(limits, measured)
