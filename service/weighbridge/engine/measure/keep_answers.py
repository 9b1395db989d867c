"""Keeps what registries answered about blobs, and the totals that follow.

What changes nothing that was counted, which is the rule, is kept beside others. What
does is kept alone, in a transaction of its own (see `store.alone`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.size.confidence import MeasuredBlob
from weighbridge.engine.context.crawl_context import Counted
from weighbridge.engine.writer.writer import Writer
from weighbridge.store.sizes.blob_sizes import keep_measures
from weighbridge.store.sizes.manifest_sizes import sweep_manifests
from weighbridge.store.sizes.unmeasured import LiveManifest


async def keep_answers(
    writer: Writer,
    answers: Mapping[tuple[int, Digest], MeasuredBlob | None],
    now: datetime,
) -> None:
    """Keep answers by storage scope and digest; None: no answer came."""
    for scope_id in sorted({scope for scope, _ in answers}):
        found = {d: m for (scope, d), m in answers.items() if scope == scope_id}
        left = await writer.write(keep_measures, scope_id, found, now)
        if left:
            changed = {digest: found[digest] for digest in left}
            await writer.write(keep_measures, scope_id, changed, now, is_alone=True)


async def sum_up(
    writer: Writer,
    places: Sequence[LiveManifest],
    now: datetime,
    counted: Counted,
    *,
    is_partial: bool = False,
) -> None:
    """Give these manifests their totals, as far as their blobs are answered.

    is_partial: also the others, by what is known so far
    """
    for scope_id in sorted({place.scope_id for place in places}):
        ids = sorted({p.manifest_id for p in places if p.scope_id == scope_id})
        swept = await writer.write(
            sweep_manifests, scope_id, ids, now, is_partial=is_partial
        )
        if swept.learned:
            counted("manifest", swept.learned)
        if swept.left:
            alone = await writer.write(
                sweep_manifests,
                scope_id,
                swept.left,
                now,
                is_alone=True,
                is_partial=is_partial,
            )
            if alone.learned:
                counted("manifest", alone.learned)
