"""Makes the rows of the read model anew that are behind what is known."""

from collections.abc import Callable
from datetime import datetime

from weighbridge.audit.writer import Writer
from weighbridge.domain.platform import Platform
from weighbridge.store.summaries import refresh_if_stale, stale_repositories


async def refresh_stale(
    writer: Writer,
    registry_id: int,
    platforms: tuple[Platform, ...],
    clock: Callable[[], datetime],
) -> None:
    """A pass makes its own repository's row anew. Others are behind where a child of
    their indexes came with this crawl, or where a pass was stopped."""
    for repository_id in await writer.read(stale_repositories, registry_id):
        await writer.write(refresh_if_stale, repository_id, clock(), platforms)
