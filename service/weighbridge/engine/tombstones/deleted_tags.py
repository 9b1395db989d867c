"""Deletes the tags that a complete crawl did not see."""

from collections.abc import Set
from typing import Final

from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.writer.batches import pieces
from weighbridge.store.leases.claiming import Claim
from weighbridge.store.tags.applying import apply_deleted, live_tags

MASS: Final = 10
"""More tags, or repositories, than this, and more than half: a second crawl must
agree."""
DELETED_AT_ONCE: Final = 1_000
"""Tags that are deleted in one transaction."""


async def delete_unlisted(
    context: CrawlContext, claim: Claim, seen: Set[str]
) -> tuple[int, frozenset[str]]:
    """How many are gone, and those that must wait for a second crawl that agrees, since
    too much is missing at once."""
    known = await context.writer.read(live_tags, claim.repository_id)
    live = frozenset(filter(context.wants_tag, known))
    absent = live - seen
    if is_mass(len(absent), len(live)) and not absent <= claim.held:
        return 0, absent
    for names in pieces(sorted(absent), DELETED_AT_ONCE):
        await context.writer.write(apply_deleted, claim, names, context.clock())
    return len(absent), frozenset()


def is_mass(absent: int, live: int) -> bool:
    """Whether so many of so many cannot be believed to have been deleted at once."""
    return absent > MASS and absent * 2 > live
