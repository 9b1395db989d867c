"""Makes tombstones of the repositories of which a crawl is sure that they are gone."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

from weighbridge.audit.writer import Writer
from weighbridge.domain.platform import Platform
from weighbridge.errors import StaleFence
from weighbridge.store.claiming import claim
from weighbridge.store.process_mark import one_claim, this_process
from weighbridge.store.removals import (
    Missing,
    bury_repository,
    bury_tags,
    count_repositories,
    held_removals,
    hold_removals,
    missing_for_good,
)
from weighbridge.store.summaries import refresh_if_stale

MASS: Final = 10
"""More repositories than this, and more than half: a second crawl must agree."""
_LEASE_S: Final = 60.0


async def bury_missing(
    writer: Writer,
    registry_id: int,
    listed: Collection[str] | None,
    platforms: tuple[Platform, ...],
    clock: Callable[[], datetime],
) -> int:
    """Bury what is missing for good; returns how many wait for a second look, since
    more than half of the registry would vanish at once.

    listed: all names of a catalog that was read to its end, or None
    """
    gone = await writer.read(missing_for_good, registry_id, listed, clock())
    ids = frozenset(item.repository_id for item in gone)
    there = await writer.read(count_repositories, registry_id)
    held = await writer.read(held_removals, registry_id)
    if len(gone) > MASS and 2 * len(gone) > there and not ids <= held:
        await writer.write(hold_removals, registry_id, ids)
        return len(gone)
    for item in gone:
        await _bury(writer, item, platforms, clock)
    await writer.write(hold_removals, registry_id, frozenset())
    return 0


async def _bury(
    writer: Writer,
    item: Missing,
    platforms: tuple[Platform, ...],
    clock: Callable[[], datetime],
) -> None:
    claimed = await writer.write(
        claim,
        item.repository_id,
        now=clock(),
        lease_s=_LEASE_S,
        owner=one_claim(this_process()),
    )
    if claimed is None:
        return  # Another process looks at it now, and knows better.
    try:
        while await writer.write(bury_tags, claimed, clock()):
            pass
        await writer.write(refresh_if_stale, item.repository_id, clock(), platforms)
        await writer.write(bury_repository, claimed, clock())
    except StaleFence:
        return
