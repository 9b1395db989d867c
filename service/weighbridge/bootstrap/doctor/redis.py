"""Redis, where several processes meet: reached, keeping messages, closed to others."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from weighbridge.bootstrap.doctor.check import CheckResult, Installation
from weighbridge.domain.text.units import format_bytes, format_percent
from weighbridge.jobs.worker_processes import require_workers

if TYPE_CHECKING:
    from weighbridge.jobs.redis.redis_state import RedisState

REDIS: Final = "redis"
MEMORY: Final = f"{REDIS} memory"
_NEARLY_FULL: Final = 0.8


def look_at_redis(installation: Installation, _: str) -> Iterator[CheckResult]:
    """Whether it answers, and what it does with what it is given."""
    url = installation.settings.redis_url
    if url is None:
        return
    require_workers()

    from weighbridge.jobs.redis.broker import is_exposed
    from weighbridge.jobs.redis.redis_state import redis_state

    state = redis_state(url)
    if is_exposed(url):
        yield CheckResult(
            REDIS,
            "warning",
            "it is on another host without a password or without TLS: anybody who"
            " reaches it decides what workers do",
            "rediss://:PASSWORD@HOST:6379/0 by redis_url_file",
        )
    if state is None:
        text = "it answers; our user may not ask for INFO, so that no more is known"
        yield CheckResult(REDIS, "warning", text, "give it the right +info")
        return
    yield CheckResult(REDIS, "ok", f"it answers, Redis {state.version}; {_kept(state)}")
    yield from _of_memory(state)


def _kept(state: "RedisState") -> str:
    if state.is_persisted:
        return "it writes each change to its disk"
    return "what it has is lost with it, which costs nothing but time"


def _of_memory(state: "RedisState") -> Iterator[CheckResult]:
    from weighbridge.jobs.redis.broker import KEEPS

    used, limit = format_bytes(state.used_bytes), state.limit_bytes
    of = f"of {format_bytes(limit)}" if limit else "and has no limit"
    if state.policy != KEEPS:
        yield CheckResult(
            MEMORY,
            "fault",
            f"it drops keys when its memory is full ({state.policy}), and with them"
            " what workers are to do",
            f"set maxmemory-policy {KEEPS} in redis.conf",
        )
    if not state.has_saved:
        yield CheckResult(
            MEMORY,
            "fault",
            "its last snapshot could not be written to its disk: it refuses writes",
            "see its log and its disk; or turn snapshots off: save ''",
        )
    if limit and state.used_bytes > _NEARLY_FULL * limit:
        share = format_percent(state.used_bytes, limit)
        yield CheckResult(
            MEMORY,
            "warning",
            f"it uses {used} {of} ({share}): when it is full, work is refused",
            "raise maxmemory, or see what else is kept there",
        )
    elif state.policy == KEEPS and state.has_saved:
        yield CheckResult(MEMORY, "ok", f"it uses {used} {of}; {state.policy}")
