"""Which crawl this is: a new one, or one that was cut off and is taken up; and what is
not looked at by it."""

from collections.abc import Callable, Mapping
from datetime import datetime

from weighbridge.audit.context import RESUME_S
from weighbridge.audit.heartbeat import LEASE_S, Renewal
from weighbridge.audit.outcomes import Outcomes
from weighbridge.audit.writer import Writer
from weighbridge.store.crawls import (
    CrawlRecord,
    Visited,
    begin_crawl,
    end_crawl,
    renew_crawl,
    visited,
    waiting,
)


class TakingUp:
    """The record of one crawl.

    owner:          this process, as `process_mark.this_process` names it
    leaves_waiting: whether repositories from which the registry has sent us away are
                    left alone until a look can succeed
    """

    def __init__(
        self,
        writer: Writer,
        clock: Callable[[], datetime],
        owner: str,
        *,
        leaves_waiting: bool,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._owner = owner
        self._leaves_waiting = leaves_waiting
        self._visited: Mapping[int, Visited] = {}
        self._waiting: Mapping[int, Visited] = {}

    async def begin(self, registry_id: int, *, is_whole: bool) -> CrawlRecord:
        """is_whole: only a look at all of a registry can be taken up"""
        now = self._clock()
        record = CrawlRecord(now, is_resumed=False, is_recorded=False)
        if is_whole:
            record = await self._writer.write(
                begin_crawl,
                registry_id,
                now=now,
                owner=self._owner,
                lease_s=LEASE_S,
                resume_s=RESUME_S,
            )
        if record.is_resumed:
            self._visited = await self._writer.read(
                visited, registry_id, record.since, now
            )
        if self._leaves_waiting:
            self._waiting = await self._writer.read(waiting, registry_id, now)
        return record

    def renewal(self, registry_id: int) -> Renewal:
        """For the heartbeat."""
        return lambda connection, now: renew_crawl(
            connection, registry_id, now=now, owner=self._owner, lease_s=LEASE_S
        )

    async def end(self, registry_id: int, record: CrawlRecord) -> None:
        """There is nothing to be taken up."""
        if record.is_recorded:
            await self._writer.write(end_crawl, registry_id, self._owner)

    def leaves_alone(self, repository_id: int, outcomes: Outcomes) -> bool:
        """Whether a repository is not looked at; it is counted then."""
        if repository_id in self._visited:
            outcomes.take_over(self._visited[repository_id])
            return True
        if repository_id in self._waiting:
            outcomes.leave(self._waiting[repository_id])
            return True
        return False
