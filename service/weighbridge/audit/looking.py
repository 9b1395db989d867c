"""Looks at one repository: makes a pass, and gives it back whatever happens."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

from weighbridge.audit.context import PassContext
from weighbridge.audit.heartbeat import LEASE_S, Heartbeat
from weighbridge.audit.pass_outcome import PassOutcome
from weighbridge.audit.repository_pass import RepositoryPass
from weighbridge.errors import StaleFence, StoreError
from weighbridge.store.claiming import Opening
from weighbridge.store.giving_back import give_up, release
from weighbridge.store.process_mark import one_claim
from weighbridge.store.repositories import forget_if_never_seen
from weighbridge.store.slices import Opened, open_many

RETRY: Final = timedelta(minutes=1)
"""A pass that failed for a reason of our own is begun again no sooner than that."""

WAITS_S: Final = (0.1, 0.3, 0.6, 1.0)
"""A repository in other hands is asked for again after so long each: a look at what was
just pushed to it is over by then as a rule."""


async def when_free(
    look: Callable[[], Awaitable[PassOutcome | None]],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> PassOutcome:
    """`look_at`, some times where the repository is in other hands. Raises StaleFence
    where it stays there."""
    for wait_s in (*WAITS_S, None):
        outcome = await look()
        if outcome is not None:
            return outcome
        if wait_s is not None:
            await sleep(wait_s)
    raise StaleFence("another process is crawling it now", code="busy", retryable=True)


async def look_at(
    context: PassContext, heartbeat: Heartbeat, begun: Opened
) -> PassOutcome:
    """One pass over a repository that was opened for it. Raises StaleFence where it was
    taken over, and StoreError; it is given back then."""
    writer, claimed = context.writer, begun.claim
    heartbeat.hold(claimed)
    try:
        with writer.expecting():
            outcome = await RepositoryPass(context, begun).run()
    except StaleFence:
        raise
    except asyncio.CancelledError:
        with suppress(StoreError):
            await asyncio.shield(writer.write(release, claimed))
        raise
    except BaseException:
        with suppress(StoreError):  # The one that ended the pass is on its way.
            retry_at = context.clock() + RETRY
            await asyncio.shield(writer.write(give_up, claimed, retry_at))
        raise
    finally:
        heartbeat.drop(claimed)
    if outcome.result.state == "missing":
        await writer.write(forget_if_never_seen, claimed.repository_id)
    return outcome


async def look_at_one(
    context: PassContext,
    heartbeat: Heartbeat,
    repository_id: int,
    *,
    owner: str,
    lease_s: float = LEASE_S,
    only_due: bool = False,
) -> PassOutcome | None:
    """`look_at` by its number; None where another process looks at it now, or, with
    `only_due`, has done so already.

    owner: this process, as `process_mark.this_process` names it
    """
    opening = Opening(
        repository_id,
        context.clock(),
        lease_s,
        one_claim(owner),
        only_due,
        context.resume_s,
    )
    with context.writer.expecting():
        begun = await context.writer.write_many(open_many, opening)
    return None if begun is None else await look_at(context, heartbeat, begun)
