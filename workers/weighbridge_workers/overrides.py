"""Everything that we change in Celery, kombu and billiard, each with its reason.

Written against Celery 5.7, kombu 5.7 and billiard 4.3; a test names these versions. One
thing is assigned in a library's module (`bound_last_words`); all else are classes of
ours that Celery is told to use (`making`, `configuration`, `tasks`).
"""

import json
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any, Final

from billiard import pool
from celery.app.amqp import AMQP
from celery.app.control import Control
from celery.app.events import Events
from celery.events.dispatcher import EventDispatcher
from celery.signals import task_rejected
from celery.utils.log import get_logger
from celery.worker.request import Request
from kombu import Connection
from kombu.asynchronous import get_event_loop
from kombu.pidbox import Mailbox, Node
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from weighbridge.jobs.messages import (
    SHOWN_BYTES,
    begin_of,
    payload_of,
    read_message,
)
from weighbridge.jobs.pauses import Pauses

_logger = get_logger("weighbridge.worker")

UNHEARD_S: Final = 2.0
"""So long a process of the pool that is to end waits for its last answer to be heard.

Billiard would wait for 30 seconds, all that a worker has to stop in; an answer that is
lost costs nothing, as the message then goes to somebody else.
"""
MOST_PAUSE_S: Final = 10
"""Between two attempts where Redis is away or refuses: it is soon noticed that it is
there again."""
ALLOWED: Final = frozenset(
    {
        *("ping", "stats", "active", "reserved", "scheduled", "registered"),
        *("active_queues", "revoked", "query_task", "clock", "conf"),
        *("enable_events", "disable_events", "heartbeat"),
    }
)
"""What a worker does that is told so over Redis: it says what it does. Nobody who
writes there ends it, has it take other queues, or forget work."""


class Client(Redis):
    """Takes messages (BRPOP) and passes on those that are ours.

    Kombu takes any text for a message: no JSON, a list, a message without headers each
    raise where nothing but the end of the worker comes after.
    """

    def __init__(self, *, channel: "Channel", **options: Any) -> None:  # kombu's own
        super().__init__(**options)
        self._channel = channel

    def parse_response(
        self, connection: Any, command_name: Any, **options: Any
    ) -> Any:  # as the client's own
        """See the client."""
        parse: Callable[..., Any] = super().parse_response
        if command_name != "BRPOP":
            return parse(connection, command_name, **options)
        try:
            found = parse(connection, command_name, **options)
        except ResponseError as exc:
            self._channel.refused(exc)
            return None
        self._channel.answered()
        if not found:
            return None
        queue, raw = found
        passed = self._channel.passed_on(queue.decode(errors="replace"), raw)
        return None if passed is None else (queue, passed)


class QoS(kombu_redis.QoS):
    """Keeps no message from being done because Redis takes no copy of it.

    A copy is kept there until a message is confirmed, so that others get it if this
    worker is killed. Where memory is full or a key is of a wrong type, the copy is
    refused, and kombu lets that end the worker. Without one the database knows.
    """

    channel: "Channel"
    # Kombu's own, which its types leave out; the same below.
    _remove_from_indices: Callable[..., Any]

    def can_consume(self) -> bool:
        """See kombu."""
        return self.channel.may_take and bool(super().can_consume())

    def append(self, message: Any, delivery_tag: str) -> None:
        """See kombu."""
        try:
            super().append(message, delivery_tag)
        except ResponseError as exc:
            self.channel.warn(exc)
            virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """See kombu."""
        try:
            super().ack(delivery_tag)
        except ResponseError as exc:
            self.channel.warn(exc)
            virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """See kombu."""
        try:
            super().reject(delivery_tag, requeue=requeue)
        except ResponseError as exc:
            self.channel.warn(exc)
            virtual.QoS.ack(self, delivery_tag)

    def restore_visible(self, *args: Any, **options: Any) -> None:
        """See kombu, which calls this as it connects, too."""
        try:
            super().restore_visible(*args, **options)
        except ResponseError as exc:
            self.channel.warn(exc)

    def restore_by_tag(
        self, tag: Any, client: Any = None, leftmost: bool = False
    ) -> None:
        """See kombu. What is no message would keep all after it from being restored."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ValueError, TypeError, RecursionError):
            self.channel.drop("unacked", str(tag).encode())
            self._remove_from_indices(tag).execute()


class Channel(kombu_redis.Channel):
    """Waits where Redis refuses, drops what is no message, and goes on."""

    QoS = QoS
    _queue_cycle: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        self._pauses = Pauses(MOST_PAUSE_S)
        self._warned = Pauses(MOST_PAUSE_S * 6)
        self._wrong: frozenset[str] = frozenset()
        super().__init__(*args, **options)

    @property
    def may_take(self) -> bool:
        """Whether messages are asked for now; where queues were left out, all are
        asked for again after the pause."""
        if self._pauses.is_over and self._wrong:
            self._leave_out(frozenset())
        return self._pauses.is_over or bool(self._wrong)

    def answered(self) -> None:
        """Redis hands out messages."""
        if not self._wrong:
            self._pauses.end()

    def refused(self, exc: ResponseError) -> None:
        """Redis hands out none: wait, or go on with the other queues where the key of
        one is of a wrong type. It may be somebody else's, so it stays."""
        pause_s = self._pauses.begin()
        wrong = self._of_wrong_type()
        if wrong < frozenset(self.active_queues):
            self._leave_out(self._wrong | wrong)
        _logger.warning(
            "Redis hands out no message: trying again in %d s (%s; wrong type: %s)",
            *(pause_s, type(exc).__name__, ", ".join(sorted(wrong)) or "none"),
        )

    def warn(self, exc: ResponseError) -> None:
        """Tell that Redis refuses something that can be done without."""
        if self._warned.is_over:
            self._warned.begin()
            why = str(exc)[:SHOWN_BYTES]
            _logger.warning("Redis refuses: %s (%s)", type(exc).__name__, why)

    def passed_on(self, queue: str, raw: bytes) -> bytes | None:
        """A message that says the same, or None; what was asked for by `celery
        inspect` has a queue of its own, whose messages are no jobs."""
        if queue.endswith(".reply.celery.pidbox"):
            return raw
        message = read_message(raw)
        if message is None:
            self.drop(queue, raw)
            return None
        return json.dumps(payload_of(message, queue)).encode()

    def drop(self, queue: str, raw: bytes) -> None:
        """What is no message: tell of it once, have it counted, forget it."""
        _logger.error(
            "a message is dropped [malformed_job]: queue %s, %d bytes, begins with %s",
            *(queue, len(raw), begin_of(raw)),
        )
        task_rejected.send(sender=self, message=None, exc=None)

    def _leave_out(self, queues: frozenset[str]) -> None:
        self._wrong = queues
        self._update_queue_cycle()

    def _update_queue_cycle(self) -> None:
        wanted = [queue for queue in self.active_queues if queue not in self._wrong]
        self._queue_cycle.update(wanted)

    def _of_wrong_type(self) -> frozenset[str]:
        queues = self.active_queues
        try:
            with self.conn_or_acquire() as client, client.pipeline(False) as pipe:
                for queue in queues:
                    pipe.type(queue)
                types = pipe.execute()
        except RedisError:
            return frozenset()
        found = zip(queues, types, strict=True)
        return frozenset(q for q, kind in found if kind not in (b"list", b"none"))

    def _get_client(self) -> Callable[..., Redis]:
        return partial(Client, channel=self)

    def _do_restore_message(
        self,
        payload: Any,
        exchange: Any,
        routing_key: Any,
        pipe: Any,
        leftmost: bool = False,
    ) -> None:
        """Kombu would write whatever stands there to any key that it names."""
        raw = json.dumps(payload).encode()
        if read_message(raw) is None or routing_key not in self.active_queues:
            self.drop("unacked", raw)
        else:
            (pipe.lpush if leftmost else pipe.rpush)(routing_key, raw)

    def _receive_one(self, client: Any) -> Any:
        """A command. Kombu goes on after one that is no JSON, not after a list."""
        try:
            return super()._receive_one(client)  # type: ignore[misc] # not in its types
        except NoPermissionError as exc:
            # A user without rights to channels: there are no commands, all else works.
            self.warn(exc)
            self.active_fanout_queues.clear()
            return None
        except (Empty, OSError, RedisError):
            raise
        except Exception as exc:  # noqa: BLE001 - anything may be published
            self.drop("commands", repr(exc).encode())
            return None

    def _size(self, queue: str) -> int:
        """Only shown; but asked for of each queue as a worker connects."""
        try:
            return int(super()._size(queue))
        except ResponseError as exc:
            self.warn(exc)
            return 0

    def _queue_bind(self, *args: Any) -> None:
        """Tells other clients by which queue a message goes. Ours name the queue."""
        try:
            super()._queue_bind(*args)  # type: ignore[misc] # not in its types
        except ResponseError as exc:
            self.warn(exc)


class Transport(kombu_redis.Transport):
    """Connects again where Redis refuses, as where it is away."""

    Channel = Channel

    def establish_connection(self) -> Any:
        """See kombu."""
        try:
            return super().establish_connection()
        except ResponseError as exc:
            raise RedisConnectionError(str(exc)) from exc


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
        self._pauses = Pauses(MOST_PAUSE_S * 6)
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
