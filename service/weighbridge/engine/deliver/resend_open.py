"""Sends an Alertmanager all that is open, again and again, as its API demands.

An Alertmanager forgets what nobody repeats: what is open is told every minute and at
once where it changed, what is over for five minutes more.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from weighbridge.domain.message.grouping import (
    Route,
    Routed,
    ViolationNotice,
    routes_for,
    with_link,
)
from weighbridge.engine.deliver.next_message import SendContext, log
from weighbridge.errors import NotifyError, StoreError
from weighbridge.store.reports.violations import read_firing

EVERY_S: Final = 60.0
MOST: Final = 10_000
"""Violations that are told: more than that in a day is told by none."""
RETRY_S: Final = 10.0
_BREATH_S: Final = 0.25


class Resender(Protocol):
    """One receiver of states, not of events, see `notify.channels.alertmanager`."""

    @property
    def name(self) -> str:
        """Of its channel."""

    @property
    def number(self) -> int | None:
        """Which of its channel's receivers it is, from 1; None for the only one."""

    async def resend(self, tolds: Sequence[ViolationNotice], now: datetime) -> None:
        """Send all of these. Raises NotifyError where it did not take them."""

    async def aclose(self) -> None: ...


class Resending:
    """The turns of one receiver, one at a time. Several receivers of a channel have one
    each: what one of them takes, refuses or delays is nothing to the others.

    routes: those that lead to its channel
    """

    def __init__(
        self,
        sending: SendContext,
        resender: Resender,
        routes: Sequence[Route],
        *,
        every_s: float = EVERY_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._every_s = every_s
        self._retry_s = retry_s
        self._sending = sending
        self._resender = resender
        self._routes = tuple(routes)
        self._task: asyncio.Task[None] | None = None
        self._sent: frozenset[tuple[int, str]] = frozenset()
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
            # Each turn reads all that is open, and whoever finds something wakes us.
            await asyncio.sleep(_BREATH_S)

    async def _turn(self) -> None:
        name = self._resender.name
        try:
            firing = await self._firing()
            notices = self._to_tell(firing)
            if notices:
                self._sending.telemetry.notifications.labels(name).inc()
                await self._resender.resend(notices, self._sending.clock())
        except StoreError as exc:
            log().warning("alerts wait for the database", channel=name, code=exc.code)
        except NotifyError as exc:
            self._note_failure(exc.code, exc.message)
        except Exception as exc:  # noqa: BLE001 - the next turn may go better
            self._note_failure("bug", type(exc).__name__)

    def _to_tell(self, firing: Sequence[ViolationNotice]) -> Sequence[ViolationNotice]:
        """All of it once a minute, and in between what is new: five hundred that come
        one after the other are not told five hundred times."""
        fresh = [one for one in firing if _state(one) not in self._sent]
        self._sent = frozenset(map(_state, firing))
        now = asyncio.get_running_loop().time()
        if now < self._due_at:
            return fresh
        self._due_at = now + self._every_s
        return firing

    def _note_failure(self, code: str, why: str) -> None:
        """All of it is told again soon."""
        self._due_at = asyncio.get_running_loop().time() + self._retry_s
        resender = self._resender
        self._sending.telemetry.notification_failures.labels(resender.name).inc()
        where = {} if resender.number is None else {"receiver": resender.number}
        log().warning(
            "alerts not sent", channel=resender.name, **where, code=code, why=why
        )

    async def _firing(self) -> list[ViolationNotice]:
        sending = self._sending
        notices = await sending.writer.read(read_firing, sending.clock(), MOST)
        return [
            with_link(one, sending.external_url)
            for one in notices
            if routes_for(self._routes, _routed(one))
        ]


def _state(notice: ViolationNotice) -> tuple[int, str]:
    return notice.violation_id, notice.event


def _routed(notice: ViolationNotice) -> Routed:
    return Routed(
        notice.severity,
        notice.team,
        notice.registry,
        notice.repository,
        notice.policy,
    )
