"""Looks at one repository: makes a crawl, and gives it back whatever happens."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

from weighbridge.engine.context.crawl_context import CrawlContext, CrawlOutcome
from weighbridge.engine.crawl.repository.repository_crawl import RepositoryCrawl
from weighbridge.engine.tasks.lease_renewal import Heartbeat
from weighbridge.errors import StaleFence, StoreError
from weighbridge.store.crawls.slices import Opened
from weighbridge.store.leases.releasing import give_up, release
from weighbridge.store.registries.repository_rows import forget_if_never_seen

RETRY: Final = timedelta(minutes=1)
"""A crawl that failed for a reason of our own is begun again no sooner than that."""


async def crawl_claimed(
    context: CrawlContext,
    heartbeat: Heartbeat,
    begun: Opened,
    asked: Callable[[], None],
) -> CrawlOutcome:
    """One crawl of a repository that was opened for it. Raises StaleFence where it was
    taken over, and StoreError; it is given back then.

    asked: called once nothing more is asked of the registry, before all is stored
    """
    writer, claimed = context.writer, begun.claim
    heartbeat.hold(claimed)
    try:
        with writer.expecting():
            outcome = await RepositoryCrawl(context, begun, heartbeat, asked).run()
    except StaleFence:
        raise
    except asyncio.CancelledError:
        with suppress(StoreError):
            await asyncio.shield(writer.write(release, claimed))
        raise
    except BaseException:
        with suppress(StoreError):  # The one that ended the crawl is on its way.
            retry_at = context.clock() + RETRY
            await asyncio.shield(writer.write(give_up, claimed, retry_at))
        raise
    finally:
        heartbeat.drop(claimed)
    if outcome.result.state == "missing":
        await writer.write(forget_if_never_seen, claimed.repository_id)
    return outcome
