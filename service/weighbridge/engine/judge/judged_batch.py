"""Repositories that are judged in one transaction: what is read for all of them, and
what their limits say of an image as the database has it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from msgspec.structs import replace

from weighbridge.domain.growth.cause import Cause
from weighbridge.domain.policy.policy import LimitKey, Limits
from weighbridge.domain.policy.verdict import (
    Finding,
    LimitedNumbers,
    limits_images,
    measured_image,
    verdict,
)
from weighbridge.domain.policy.waiver import ActiveWaivers
from weighbridge.engine.judge.criteria import Judging
from weighbridge.store.read_model.summaries import FEW_TAGS
from weighbridge.store.session import Connection
from weighbridge.store.streams.stream_images import ScopedImages, StreamImage
from weighbridge.store.streams.stream_tags import LatestTags
from weighbridge.store.violations.judged import (
    JudgedRepository,
    OpenViolation,
    find_open,
    lock_own,
)
from weighbridge.store.violations.violation_rows import set_cause
from weighbridge.store.violations.waivers import active_waivers


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
        `judged.lock_own`."""
        if not self._is_locked:
            lock_own(self.connection, self.repositories, self.now)
            self._is_locked = True

    def write_causes(self) -> None:
        """Each once: PostgreSQL checks the reference of a row that is changed twice,
        and waits for whoever has that repository and may be waiting for this row."""
        for violation_id, cause in sorted(self.causes.items()):
            set_cause(self.connection, violation_id, cause)


class InForce:
    """tag: "" or None for what is of the repository."""

    def __init__(self, batch: JudgedBatch, repository: JudgedRepository) -> None:
        self._batch = batch
        self._repository = repository

    def policy_of(self, tag: str | None, limit_key: LimitKey) -> str | None:
        """The name of the policy that sets a limit for a tag; None: there is none."""
        decided = self._batch.judging.policies.explain(
            self._repository.registry, self._repository.name, tag or ""
        )
        for one in decided:
            if one.key == limit_key and one.policy and one.value is not None:
                return one.policy.name
        return None

    def is_waived(self, tag: str | None, limit_key: LimitKey) -> bool:
        """Whether somebody has accepted that a tag exceeds this limit."""
        repository = self._repository
        waiver = self._batch.waivers.find(
            repository.registry, repository.name, tag or "", limit_key, self._batch.now
        )
        return waiver is not None


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
