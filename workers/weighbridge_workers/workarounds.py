"""Everything that we change in Celery, kombu and billiard, and why.

Seen with Celery 5.7.0, kombu 5.7.0 and billiard 4.3.2, and a real Redis. Each class
names the upstream thread about what it is for, or says that there is none. Nothing is
assigned in a library: these are classes that Celery is told to use (`app`).
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import wait
from queue import Empty
from typing import Any, Final

from billiard.pool import TERMINATE
from celery.app.amqp import AMQP
from celery.app.control import Control
from celery.app.events import Events
from celery.concurrency import asynpool, prefork
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

from weighbridge.jobs.redis.job_messages import (
    SHOWN_BYTES,
    begin_of,
    payload_of,
    read_message,
)
from weighbridge.jobs.worker_processes import Pauses
from weighbridge.ports.job_names import CANARY, QUEUES

_logger = get_logger("weighbridge.worker")

MOST_PAUSE_S: Final = 10
"""Between two attempts where Redis is away or refuses: it is soon noticed that it is
there again."""
_TOLD_S: Final = 60
_QUIET_S: Final = 60
_HEARD_S: Final = 0.1
_BEGAN: Final = datetime(2000, 1, 1, tzinfo=UTC)
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
    raise where nothing but the end of the worker comes after (celery/celery#4308; the
    same from SQS: celery/kombu#2421).
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
            if not self._channel.refused(exc):
                # Another server may stand at the address by now.
                connection.disconnect()
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
    refused, and kombu lets that end the worker. Without one the database knows. None
    was found about that, nor about what is no message among the copies.
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
    """Waits where Redis refuses, drops what is no message, and goes on.

    A key of a wrong type ends kombu's (celery/kombu#1247), and so does full memory.
    """

    QoS = QoS
    # Kombu's own, which its types leave out.
    _queue_cycle: Any
    _fanout_queues: dict[str, tuple[str, str]]
    auto_delete_queues: set[str]

    def __init__(self, *args: Any, **options: Any) -> None:
        self._pauses = Pauses(MOST_PAUSE_S)
        self._warned = Pauses(_TOLD_S)
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

    def refused(self, exc: ResponseError) -> bool:
        """Redis hands out none: wait, or go on with the other queues where the key of
        one is of a wrong type. It may be somebody else's, so it stays. Whether that
        was it."""
        pause_s = self._pauses.begin()
        wrong = self._of_wrong_type()
        if wrong < frozenset(self.active_queues):
            self._leave_out(self._wrong | wrong)
        _logger.warning(
            "Redis hands out no message: trying again in %d s (%s; wrong type: %s)",
            *(pause_s, type(exc).__name__, ", ".join(sorted(wrong)) or "none"),
        )
        return bool(wrong)

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
        """Kombu would write whatever stands there to any key that it names. None was
        found about that."""
        raw = json.dumps(payload).encode()
        message = read_message(raw)
        if message is not None and message.job == CANARY:
            return  # Its queue goes with its worker.
        # Nobody takes from any queue any more where a worker is to stop.
        if message is None or routing_key not in (*QUEUES, *self.active_queues):
            self.drop("unacked", raw)
        else:
            (pipe.lpush if leftmost else pipe.rpush)(routing_key, raw)

    def _receive_one(self, client: Any) -> Any:
        """A command. Kombu goes on after one that is no JSON, not after a list, of
        which none was found, nor without rights (paperless-ngx/paperless-ngx#7280)."""
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

    def _queue_bind(
        self, exchange: str, routing_key: str, pattern: Any, queue: str
    ) -> None:
        """Tells other clients by which queue a message goes: ours name the queue, and
        what is published goes by none (wished for in celery/celery#989)."""
        if self.typeof(exchange).type == "fanout":
            self._fanout_queues[queue] = (exchange, routing_key.replace("#", "*"))
            return
        try:
            super()._queue_bind(exchange, routing_key, pattern, queue)  # type: ignore[misc] # not in its types
        except ResponseError as exc:
            self.warn(exc)

    def _delete(self, queue: str, exchange: str, *args: Any, **options: Any) -> None:
        """The opposite: nothing is there. A worker that is to end would wait for a
        frozen Redis four times."""
        if self.typeof(exchange).type == "fanout":
            self.auto_delete_queues.discard(queue)
        else:
            super()._delete(queue, exchange, *args, **options)


class RedisTransport(kombu_redis.Transport):
    """Connects again where Redis refuses, as where it is away.

    `broker_channel_error_retry` (celery/celery#7946) does so for what is refused later.
    """

    Channel = Channel

    def establish_connection(self) -> Any:
        """See kombu."""
        try:
            return super().establish_connection()
        except ResponseError as exc:
            raise RedisConnectionError(str(exc)) from exc


class QuickConnection(Connection):
    """Tries again after `MOST_PAUSE_S` at the latest; kombu's own pauses grow to 30
    seconds, in which Redis is there and nothing is done. No setting was found."""

    def _ensure_connection(self, *args: Any, **options: Any) -> Any:
        pauses = {"interval_start": 1, "interval_step": 1, "interval_max": MOST_PAUSE_S}
        return super()._ensure_connection(*args, **{**options, **pauses})


class QuickAMQP(AMQP):
    """Gives the application such connections."""

    Connection = QuickConnection


class ShortDispatcher(EventDispatcher):
    """Sends events once or not at all.

    Celery's tries again for as long as Redis is away, in the thread that everything
    else of a worker waits for, and keeps what it could not send without a limit
    (celery/celery#10273).
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

    dispatcher_cls = "weighbridge_workers.workarounds:ShortDispatcher"


class AskedNode(Node):
    """Answers what it is asked, and refuses to be told what to do, see `ALLOWED`.
    Celery has one switch for all commands (celery/celery#1505)."""

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

    Celery logs that and goes on (celery/celery#3773). But the message then counts as
    one in the consumer's hands for ever: with one process, which holds one at a time,
    it takes no other, does not even look at its connection, and never finds out that
    Redis is back.
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


class HearingResultHandler(asynpool.ResultHandler):
    """Hears what the pool's processes say until each has ended.

    A process that is to end waits 30 seconds for its last answer to be heard
    (celery/billiard#279), and a second for its leave. Celery forgets at the stop what
    it has handed over and not yet heard to be begun, and then listens no more: where a
    message came just before the stop, a worker with nothing to do took 30 seconds.
    None was found about that.
    """

    # Celery's and billiard's own, which their types leave out.
    fileno_to_outq: dict[int, Any]
    on_state_change: Callable[..., object]
    _flush_outqueue: Callable[..., object]
    _state: int

    def on_stop_not_started(self) -> None:
        """See Celery."""
        super().on_stop_not_started()
        living = dict(self.fileno_to_outq)
        while living and self._state != TERMINATE:
            ended: set[int] = set()  # Celery may say of one twice that it has.
            for fd in wait(living, _HEARD_S):
                self._flush_outqueue(fd, ended.add, living, self.on_state_change)
            living = {
                fd: one
                for fd, one in living.items()
                if fd not in ended and one._is_alive()
            }


class HearingAsynPool(asynpool.AsynPool):
    """Has such a handler."""

    ResultHandler = HearingResultHandler


class HearingPool(prefork.TaskPool):
    """Has such processes."""

    Pool = HearingAsynPool


def unmoved_now() -> datetime:
    """A time that goes on whatever is done to the clock, for beat's schedules: Celery
    sends nothing for as long as a clock was put back (celery/celery#6742, #3685)."""
    return _BEGAN + timedelta(seconds=time.monotonic())
