"""A message that cannot be confirmed is a sign that Redis has gone.

Celery logs that and goes on. But the message then counts as one in the consumer's
hands for ever: with one process, which holds one at a time, it takes no other, does not
even look at its connection, and never finds out that Redis is back.
"""

from collections.abc import Callable

from celery.utils.log import get_logger
from celery.worker.request import Request
from kombu.asynchronous import get_event_loop

_logger = get_logger("celery.worker.request")


class ConfirmedRequest(Request):
    """One that has the consumer connect anew where it cannot be confirmed."""

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
