"""Marks the tags that stand over a limit of theirs, whatever came after them.

Violations are of the newest image of each stream, and people are notified of these. A
heavier tag that is older is still pulled: it is marked, counted and listed, and nobody
is notified of it.
"""

from collections.abc import Sequence
from dataclasses import replace

from weighbridge.audit.image_findings import (
    findings_of,
    needs_layers,
    waits_for_size,
)
from weighbridge.audit.in_force import InForce
from weighbridge.audit.judging import Judging
from weighbridge.domain.policy import Limits
from weighbridge.domain.verdict import limits_images
from weighbridge.store.judged_repository import JudgedRepository
from weighbridge.store.over_tags import OverTag, put_over_tags
from weighbridge.store.session import Connection
from weighbridge.store.stream_images import images_of, weighed_images
from weighbridge.store.types import bounded
from weighbridge.store.unjudged import UnjudgedTag


def mark_over(
    connection: Connection,
    repository: JudgedRepository,
    tags: Sequence[UnjudgedTag],
    judging: Judging,
    in_force: InForce,
) -> set[int]:
    """Keep which limits these tags exceed as they stand. Returns those of which a size
    that a limit is about is not known yet, by their ids."""
    limited = {
        tag.tag_id: (tag, tag.target, limits)
        for tag in tags
        if tag.target is not None
        and limits_images(limits := _standing(judging, repository, tag.name))
    }
    found: list[OverTag] = []
    targets = {target for _, target, _ in limited.values()}
    scope_id = repository.scope_id
    images = images_of(connection, scope_id, targets, judging.platforms)
    shown = [
        (tag, platform, image, limits)
        for tag, target, limits in limited.values()
        for platform, image in images.by_platform.get(target, {}).items()
    ]
    deep = [image.id for _, _, image, limits in shown if needs_layers(limits, image)]
    weighed = weighed_images(connection, scope_id, deep)
    for tag, platform, image, limits in shown:
        found += [
            OverTag(
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
            for finding in findings_of(limits, image, weighed, None)
            if finding.keeping == "over"
        ]
    put_over_tags(connection, repository.id, [tag.tag_id for tag in tags], found)
    return {
        *(
            tag.tag_id
            for tag, _, image, limits in shown
            if waits_for_size(limits, image)
        ),
        *(tag.tag_id for tag, t, _ in limited.values() if t in images.awaited),
    }


def _standing(judging: Judging, repository: JudgedRepository, tag: str) -> Limits:
    """Limits that a tag can stand over: growth is a push's, and what is stored the
    repository's."""
    limits = judging.policies.limits_of(repository.registry, repository.name, tag)
    return replace(limits, max_growth=None, max_deduplicated_bytes=None)
