"""Tells an Alertmanager all that is open, again and again, as its API demands.

An Alertmanager forgets what nobody repeats: what is open is told every minute and at
once where it changed, what is over for five minutes more.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog

from weighbridge.audit.deliver import Telling
from weighbridge.domain.message import Told
from weighbridge.domain.page_link import with_link
from weighbridge.domain.routing import Route, Routed, routes_for
from weighbridge.errors import NotifyError, StoreError
from weighbridge.store.told import read_firing

EVERY_S: Final = 60.0
MOST: Final = 10_000
"""Violations that are told: more than that in a day is told by none."""
_RETRY_S: Final = 10.0


class Resender(Protocol):
    """A channel that is told of states, not of events: `notify.alertmanager`."""

    @property
    def name(self) -> str: ...

    async def resend(self, tolds: Sequence[Told], now: datetime) -> None:
        """Tell all receivers. Raises NotifyError where one of them did not take it."""

    async def aclose(self) -> None: ...


class Resending:
    """One such channel; a turn of it is made at a time.

    routes: those that lead to it
    """

    def __init__(
        self, telling: Telling, resender: Resender, routes: Sequence[Route]
    ) -> None:
        self._telling = telling
        self._resender = resender
        self._routes = tuple(routes)
        self._task: asyncio.Task[None] | None = None
        self._told: frozenset[tuple[int, str]] = frozenset()
        self._due_at = 0.0
        self._is_woken = False

    def wake(self) -> None:
        """Tell what there is to tell, if it is time or if it has changed."""
        self._is_woken = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """What was not told is told by whoever goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        await self._resender.aclose()

    async def _run(self) -> None:
        while self._is_woken:
            self._is_woken = False
            await self._turn()

    async def _turn(self) -> None:
        telling, name = self._telling, self._resender.name
        loop = asyncio.get_running_loop()
        try:
            told = await self._firing()
            known = frozenset((one.violation_id, one.event) for one in told)
            if known <= self._told and loop.time() < self._due_at:
                return
            self._due_at = loop.time() + EVERY_S
            self._told = known
            if not told:
                return
            telling.counts.tried(name)
            await self._resender.resend(told, telling.clock())
        except NotifyError as exc:
            self._due_at = loop.time() + _RETRY_S
            telling.counts.failed(name)
            _log().warning(
                "alerts not sent", channel=name, code=exc.code, why=exc.message
            )
        except StoreError as exc:
            _log().warning("alerts wait for the database", channel=name, code=exc.code)

    async def _firing(self) -> list[Told]:
        telling = self._telling
        told = await telling.writer.read(read_firing, telling.clock(), MOST)
        return [
            with_link(one, telling.external_url)
            for one in told
            if routes_for(self._routes, _routed(one))
        ]


def _routed(told: Told) -> Routed:
    return Routed(told.severity, told.team, told.registry, told.repository, told.policy)


def _log() -> "structlog.stdlib.BoundLogger":
    log: structlog.stdlib.BoundLogger = structlog.get_logger("weighbridge.notify")
    return log
