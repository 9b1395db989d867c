"""Marks the tags that stand over a limit of theirs, whatever came after them.

Violations are of the newest image of each stream, and people are notified of these. A
heavier tag that is older is still pulled: it is marked, counted and listed, and nobody
is notified of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from weighbridge.domain.policy.policy import Limits
from weighbridge.domain.policy.verdict import limits_images
from weighbridge.engine.judge.criteria import Judging
from weighbridge.engine.judge.image_findings import (
    findings_of,
    needs_layers,
    waits_for_size,
)
from weighbridge.engine.judge.judged_batch import InForce, JudgedBatch
from weighbridge.store.models.types import bounded
from weighbridge.store.streams.stream_images import StreamImage
from weighbridge.store.tags.over_tags import OverTag, put_over_tags
from weighbridge.store.tags.unjudged import UnjudgedTag
from weighbridge.store.violations.judged_repository import JudgedRepository


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
    in_force = InForce(batch, repository)
    tag, _, limits = limited
    for finding in findings_of(limits, image, batch.images, repository.scope_id, None):
        if finding.keeping == "over":
            yield OverTag(
                repository.id,
                tag.tag_id,
                platform,
                finding.key,
                in_force.policy_of(tag.name, finding.key) or "",
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
    return replace(limits, max_growth=None, max_deduplicated_bytes=None)
