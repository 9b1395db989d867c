"""The threads on which requests ask the database, and how long a request waits.

They are few, and nothing else runs on them: a database that stands still holds these,
and whatever needs no database is answered meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from inspect import iscoroutinefunction
from typing import Final, TypeAlias, TypeVar, cast

from starlette.responses import Response

from weighbridge.errors import StoreError
from weighbridge.store.connection.deadlines import within

T = TypeVar("T")

THREADS: Final = 12
"""Fewer than there are connections: the others are for what a request does not wait
for."""
DATABASE_S: Final = 5.0
"""What a request asks of the database has ended a second later, or was given up."""
ANSWER_S: Final = 8.0
"""A request is answered then, whatever it waits for: the database, or a thread."""

Handler: TypeAlias = Callable[..., Response | Awaitable[Response]]
Answering: TypeAlias = Callable[..., Awaitable[Response]]


class Threads:
    """Runs what asks the database. Safe to use from several event loops."""

    def __init__(
        self,
        most: int = THREADS,
        *,
        database_s: float = DATABASE_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="weighbridge-web")
        self._database_s = database_s
        self._answer_s = answer_s

    async def run(self, call: Callable[[], T], answer_s: float | None = None) -> T:
        """What `call` returns. Raises what it raises, and
        StoreError(database_unavailable) where that takes too long: the call may go on
        then, and its result is dropped.

        answer_s: where this caller waits less than others
        """
        loop = asyncio.get_running_loop()
        wait_s = self._answer_s if answer_s is None else answer_s
        asked = loop.run_in_executor(self._pool, self._hurried, call)
        try:
            if (await asyncio.wait((asked,), timeout=wait_s))[0]:
                return asked.result()
        finally:
            asked.cancel()  # one that has not begun never does
        raise no_answer()

    def answering(self, handler: Handler) -> Answering:
        """A handler that waits for these threads; one that is async does that itself,
        where it needs them."""
        if iscoroutinefunction(handler):
            return handler

        async def answered(*args: object, **kwargs: object) -> Response:
            # No coroutine: the handler is not async.
            return cast(Response, await self.run(partial(handler, *args, **kwargs)))

        return answered

    def _hurried(self, call: Callable[[], T]) -> T:
        with within(self._database_s):
            return call()


def no_answer() -> StoreError:
    """What a request is told that has waited long enough."""
    return StoreError(
        "the database has not answered in time",
        code="database_unavailable",
        hint="see whether its server stands still or is out of reach",
        retryable=True,
    )
