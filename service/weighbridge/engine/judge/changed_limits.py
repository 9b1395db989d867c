"""Whether a repository is to be judged again though nobody has pushed: a limit is
another one, or time has brought its newest image over one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from weighbridge.domain.policy.base_limits import CertainBase
from weighbridge.domain.policy.policy import (
    LimitedNumbers,
    PolicySet,
    limits_base,
    verdict,
)
from weighbridge.store.models.types import bounded
from weighbridge.store.read_model.summaries import JudgedRepository
from weighbridge.store.violations.violation_rows import OpenViolation

NO_BASES: Final[Mapping[int, CertainBase]] = {}


def is_changed(
    repository: JudgedRepository,
    violations: Sequence[OpenViolation],
    policies: PolicySet,
    bases: Mapping[int, CertainBase] = NO_BASES,
) -> bool:
    """Whether a violation is of a limit that is not set so any more, or what is newest
    is over one and has none. The size of the largest layer is not known here.

    bases: of newest images whose base is limited
    """
    if any(_is_outdated(each, repository, policies) for each in violations):
        return True
    known = {
        violation.key.limit_key
        for violation in violations
        if violation.image_id in (None, repository.newest_image_id)
    }
    return not _exceeded(repository, policies, bases) <= known


def _is_outdated(
    violation: OpenViolation, repository: JudgedRepository, policies: PolicySet
) -> bool:
    of, tag = violation.key, violation.tag or ""
    for decided in policies.explain(repository.registry, repository.name, tag):
        if (
            decided.key != of.limit_key
            or decided.policy is None
            or decided.value is None
        ):
            continue
        if decided.policy.name != of.policy:
            return True
        if isinstance(decided.value, tuple | str):
            return True  # Which bases were allowed then, nobody has written down.
        if isinstance(decided.value, bool):
            return False  # Whoever does not want to know has no limit.
        # What growth is too much depends on the images before.
        return (
            of.limit_key != "max_growth"
            and bounded(int(decided.value)) != violation.limit_amount
        )
    return True


def limited_by_base(
    repositories: Iterable[JudgedRepository], policies: PolicySet
) -> set[int]:
    """The newest images of those where a limit is about what they stand on."""
    return {
        each.newest_image_id
        for each in repositories
        if each.newest_image_id is not None
        and limits_base(
            policies.limits_of(each.registry, each.name, each.newest_tag or "")
        )
    }


def _exceeded(
    newest: JudgedRepository, policies: PolicySet, bases: Mapping[int, CertainBase]
) -> set[str]:
    found = set()
    if newest.newest_tag is not None:
        limits = policies.limits_of(newest.registry, newest.name, newest.newest_tag)
        is_estimate = newest.newest_uncompressed_confidence in ("estimate", "unknown")
        size = None if is_estimate else newest.newest_uncompressed_bytes
        measured = LimitedNumbers(
            compressed_bytes=newest.newest_compressed_bytes,
            uncompressed_bytes=size,
            layers=newest.newest_layers,
            base=bases.get(newest.newest_image_id or 0),
        )
        found |= {f.key for f in verdict(limits, measured) if f.keeping == "over"}
    limits = policies.limits_of(newest.registry, newest.name, "")
    measured = LimitedNumbers(deduplicated_bytes=newest.deduplicated_bytes)
    return found | {
        f.key
        for f in verdict(limits, measured)
        if f.key == "max_deduplicated" and f.keeping == "over"
    }
