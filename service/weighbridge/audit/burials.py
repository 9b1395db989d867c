"""Makes tombstones of the repositories of which a crawl is sure that they are gone."""

from collections.abc import Callable, Container
from datetime import datetime
from typing import Final

from weighbridge.audit.discovery import known_pages
from weighbridge.audit.judge import refresh_and_judge
from weighbridge.audit.judging import Judging
from weighbridge.audit.scope import Scope
from weighbridge.audit.writer import Writer
from weighbridge.errors import StaleFence
from weighbridge.store.claiming import Claim, claim, release
from weighbridge.store.process_mark import one_claim, this_process
from weighbridge.store.removals import (
    Missing,
    bury_repository,
    bury_tags,
    held_removals,
    hold_removals,
    is_missing,
    missing_for_good,
)

MASS: Final = 10
"""More repositories than this, and more than half: a second crawl must agree."""
_LEASE_S: Final = 60.0


async def bury_missing(
    writer: Writer,
    registry_id: int,
    listed: Container[str] | None,
    scope: Scope,
    judging: Callable[[], Judging],
    clock: Callable[[], datetime],
) -> int:
    """Bury what is missing for good; returns how many wait for a second look, since
    more than half of what is looked at would vanish at once.

    listed: all names of a catalog that was read to its end, or None
    scope:  what this crawl looked at; about others it knows nothing new
    """
    missing = await writer.read(missing_for_good, registry_id, listed, clock())
    gone = [item for item in missing if scope.looks_at(item.repository)]
    ids = frozenset(item.repository_id for item in gone)
    there = 0
    async for known in known_pages(writer, registry_id):
        there += sum(scope.looks_at(name) for name in known)
    held = await writer.read(held_removals, registry_id)
    if len(gone) > MASS and 2 * len(gone) > there and not ids <= held:
        await writer.write(hold_removals, registry_id, ids)
        return len(gone)
    for item in gone:
        await _bury(writer, item, judging, clock)
    await writer.write(hold_removals, registry_id, frozenset())
    return 0


async def _bury(
    writer: Writer,
    item: Missing,
    judging: Callable[[], Judging],
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
        if not await writer.write(is_missing, claimed, clock()):
            await writer.write(release, claimed)
            return  # Another process has found it before we claimed it.
        await _bury_tags(writer, claimed, clock)
        await writer.write(refresh_and_judge, item.repository_id, clock(), judging())
        await writer.write(bury_repository, claimed, clock())
    except StaleFence:
        return


async def _bury_tags(
    writer: Writer, claimed: Claim, clock: Callable[[], datetime]
) -> None:
    buried: str | None = ""
    while buried is not None:
        buried = await writer.write(bury_tags, claimed, clock(), buried)
