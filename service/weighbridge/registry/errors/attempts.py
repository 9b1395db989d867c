"""How often a question is asked."""

from typing import Final

from weighbridge.domain.limits import ATTEMPTS, RETRY_AFTER_MAX_S
from weighbridge.errors import RateLimited, WeighbridgeError

# A server that is silent for a whole deadline, or not there, is not asked five times
# while somebody waits; the next crawl asks again.
_FEWER_ATTEMPTS: Final = {"deadline": 1, "dns_error": 2, "connect_error": 3}
_PUT_OFF: Final = 3 * ATTEMPTS
"""Tries where the registry itself says when to come back: of many requests that come
back together some are refused again, and one would always be unlucky five times. How
long a crawl waits in all is bounded by the gate."""


def is_worth_repeating(error: WeighbridgeError, attempt: int) -> bool:
    """Whether the same question may be asked once more after so many attempts."""
    is_put_off = isinstance(error, RateLimited) and error.retry_after is not None
    most = _PUT_OFF if is_put_off else _FEWER_ATTEMPTS.get(error.code, ATTEMPTS)
    if not error.retryable or attempt >= most:
        return False
    return error.retry_after is None or error.retry_after < RETRY_AFTER_MAX_S
