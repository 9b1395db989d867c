"""What we change in Celery, kombu and billiard, each with its reason; see `transport`.

Written against Celery 5.7, kombu 5.7 and billiard 4.3. One thing is assigned in a
library's module (`bound_last_words`); all else are classes of ours that Celery is told
to use (`making`, `configuration`, `tasks`).
"""

from collections.abc import Callable
from typing import Any, Final

from billiard import pool
from celery.app.amqp import AMQP
from celery.app.control import Control
from celery.app.events import Events
from celery.events.dispatcher import EventDispatcher
from celery.utils.log import get_logger
from celery.worker.request import Request
from kombu import Connection
from kombu.asynchronous import get_event_loop
from kombu.pidbox import Mailbox, Node

from weighbridge.jobs.backoff import Pauses
from weighbridge_workers.transport import MOST_PAUSE_S

_logger = get_logger("weighbridge.worker")
_QUIET_S: Final = 60

UNHEARD_S: Final = 2.0
"""So long a process of the pool that is to end waits for its last answer to be heard.

Billiard would wait for 30 seconds, all that a worker has to stop in; an answer that is
lost costs nothing, as the message then goes to somebody else.
"""
ALLOWED: Final = frozenset(
    {
        *("ping", "stats", "active", "reserved", "scheduled", "registered"),
        *("active_queues", "revoked", "query_task", "clock", "conf"),
        *("enable_events", "disable_events", "heartbeat"),
    }
)
"""What a worker does that is told so over Redis: it says what it does. Nobody who
writes there ends it, has it take other queues, or forget work."""


class QuickConnection(Connection):
    """Tries again after `MOST_PAUSE_S` at the latest; kombu's own pauses grow to 30
    seconds, in which Redis is there and nothing is done."""

    def _ensure_connection(self, *args: Any, **options: Any) -> Any:
        pauses = {"interval_start": 1, "interval_step": 1, "interval_max": MOST_PAUSE_S}
        return super()._ensure_connection(*args, **{**options, **pauses})


class QuickAMQP(AMQP):
    """Gives the application such connections."""

    Connection = QuickConnection


class ShortDispatcher(EventDispatcher):
    """Sends events once or not at all.

    Celery's tries again for as long as Redis is away, in the thread that everything
    else of a worker waits for, and keeps what it could not send without a limit.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        # One attempt may take five seconds, where Redis is frozen.
        self._pauses = Pauses(_QUIET_S, first_s=_QUIET_S)
        super().__init__(*args, **{**options, "buffer_while_offline": False})

    def _publish(self, event: Any, producer: Any, routing_key: Any, **_: Any) -> None:
        if not self._pauses.is_over:
            return
        try:
            super()._publish(event, producer, routing_key)  # type: ignore[misc] # not in its types
        except Exception as exc:  # noqa: BLE001 - nothing depends on events
            self._pauses.begin()
            _logger.debug("an event is not sent: %r", exc)
        else:
            self._pauses.end()


class ShortEvents(Events):
    """Has such a dispatcher."""

    dispatcher_cls = "weighbridge_workers.overrides:ShortDispatcher"


class AskedNode(Node):
    """Answers what it is asked, and refuses to be told what to do, see `ALLOWED`."""

    def handle(self, method: str, arguments: dict[str, Any] | None = None) -> Any:
        """See kombu."""
        if method not in ALLOWED:
            return {"error": "workers of Weighbridge do not take this command"}
        return super().handle(method, arguments)


class AskedMailbox(Mailbox):
    """Has such nodes."""

    node_cls = AskedNode


class AskedControl(Control):
    """Has such a mailbox."""

    Mailbox = AskedMailbox


class ConfirmedRequest(Request):
    """A message that has the consumer connect anew where it cannot be confirmed.

    Celery logs that and goes on. But the message then counts as one in the consumer's
    hands for ever: with one process, which holds one at a time, it takes no other, does
    not even look at its connection, and never finds out that Redis is back.
    """

    # Celery's own, which its types leave out.
    _on_ack: Callable[..., object]
    _on_reject: Callable[..., object]
    _connection_errors: tuple[type[Exception], ...]

    def acknowledge(self) -> None:
        """See Celery."""
        if not self.acknowledged:
            self._or_connect_anew(lambda: self._on_ack(_logger, ()))
            self.acknowledged = True

    def reject(self, requeue: bool = False) -> None:
        """See Celery."""
        if not self.acknowledged:
            self._or_connect_anew(lambda: self._on_reject(_logger, (), requeue))
            self.acknowledged = True
            self.send_event("task-rejected", requeue=requeue)

    def _or_connect_anew(self, confirm: Callable[[], object]) -> None:
        try:
            confirm()
        except self._connection_errors as exc:
            _logger.warning("a message could not be confirmed: %r", exc)
            connect_anew(exc)


def connect_anew(exc: BaseException) -> None:
    """Raise it where the consumer takes it for the loss of its connection, which is
    not where a pool reports what became of a task."""
    hub = get_event_loop()
    if hub is None:
        raise exc
    hub.call_soon(_raise, exc)


def _raise(exc: BaseException) -> None:
    raise exc


def bound_last_words() -> None:
    """Have a pool's processes end soon, see `UNHEARD_S`; inherited by the fork."""
    interval_s = pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_INTERVAL
    tries = round(UNHEARD_S / interval_s)
    pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = tries
