"""Marks the tags that stand over a limit of theirs, whatever came after them: as they
move, and all of a repository where its limits say something else than when they were
marked last, or sizes have become known since.

Violations are of the newest image of each stream, and people are notified of these. A
heavier tag that is older is still pulled: it is marked, counted and listed, and nobody
is notified of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from weighbridge.domain.policy.policy import Limits, limits_images
from weighbridge.engine.judge.judged_batch import (
    JudgedBatch,
    Judging,
    findings_of,
    needs_layers,
    waits_for_size,
)
from weighbridge.store.models.types import bounded
from weighbridge.store.read_model.streams import StreamImage
from weighbridge.store.read_model.summaries import JudgedRepository, find_judged
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
    tag, _, limits = limited
    for finding in findings_of(limits, image, batch.images, repository.scope_id, None):
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
    return replace(limits, max_growth=None, max_deduplicated_bytes=None)


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
