"""Compares what a listing says that images weigh with the registry's own word.

Docker Hub's API names a size for each image. It is a hint: no size is taken from it.
It costs no request, and an image is compared once its registry was asked for all its
layers: a new one by the crawl after the one that brought it.
"""

from collections.abc import Sequence

from weighbridge.domain.registry.listing import TagSeen
from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.store.leases.claiming import Claim
from weighbridge.store.sizes.listed_sizes import find_listed, keep_listed


async def compare_listed(
    context: CrawlContext, claim: Claim, tags: Sequence[TagSeen]
) -> None:
    """Keep as disputes the sizes that are false. Nothing is written where the same
    was found before."""
    sizes = {digest: size for tag in tags for digest, size in tag.sizes}
    if not sizes:
        return
    writer = context.writer
    found = await writer.read(find_listed, claim.scope_id, sizes)
    if not found.is_news:
        return
    now = context.clock()
    learned = await writer.write(keep_listed, claim.scope_id, sizes, now)
    if learned:
        context.count_conflicts("bulk", learned)
