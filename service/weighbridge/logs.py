"""Logs: one JSON object a line on stderr, or lines for people; never a secret.

`structlog.get_logger(name)` and the standard library's loggers (uvicorn, asyncio,
SQLAlchemy) end in one handler. Events are static text, what varies is a field:

    log.warning("crawl failed", registry="hub", repository="library/python")
"""

import json
import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Final, Literal, TextIO, TypeAlias

from weighbridge.domain.text.masking import mask
from weighbridge.domain.text.printable import REDACTED, Secret, printable
from weighbridge.errors import WeighbridgeError

LogFormat: TypeAlias = Literal["json", "console"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

_VALUE_CHARACTERS: Final = 4096
_TRACEBACK_CHARACTERS: Final = 16 * 1024
_DEPTH: Final = 4
"""Levels of a nested value that stay structure; what is deeper becomes text."""
_LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
# What opens a door is passed as a Secret; should somebody forget, the name of the
# field is still known.
_SECRET_FIELDS: Final = frozenset(
    {"authorization", "cookie", "credential", "password", "secret", "token"}
)
_FIELDS: Final = "weighbridge_fields"
"""The attribute of a LogRecord that carries structlog's fields, as one mapping:
single attributes could collide with the record's own (`name`, `args`)."""


def configure(
    log_format: LogFormat = "json",
    level: LogLevel = "info",
    stream: TextIO | None = None,
) -> None:
    """Send everything that logs to `stream` (stderr if None). May be called again.

    With level `debug` errors come with their traceback, otherwise as code and
    message.
    """
    # Imported here: `weighbridge --help` must not pay for what it does not use.
    import structlog

    formatter = _JSON if log_format == "json" else _Console
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(formatter(with_traceback=level == "debug"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    _adopt_loggers()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _as_record],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _adopt_loggers() -> None:
    """Let libraries' loggers end in our handler, without their small talk."""
    logging.captureWarnings(True)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)  # the root's level decides
    # It prints whole URLs, and a webhook's path may hold its secret.
    access = logging.getLogger("uvicorn.access")
    access.handlers[:] = [logging.NullHandler()]
    access.propagate = False
    for name in ("asyncio", "httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _as_record(
    logger: object, method: str, event: MutableMapping[str, object]
) -> tuple[tuple[object, ...], dict[str, object]]:
    """structlog's last processor: its event as arguments of logging's methods."""
    text = event.pop("event", "")
    exc_info = event.pop("exc_info", None)
    return (text,), {"exc_info": exc_info, "extra": {_FIELDS: dict(event)}}


class _Formatter(logging.Formatter):
    """Collects a record's fields, each safe to print."""

    def __init__(self, *, with_traceback: bool) -> None:
        super().__init__()
        self._with_traceback = with_traceback

    def fields(self, record: logging.LogRecord) -> dict[str, object]:
        """`time`, `level`, `event`, `logger`, then the event's own, then errors."""
        at = datetime.fromtimestamp(record.created, UTC)
        fields: dict[str, object] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": _safe_text(record.getMessage()),
            "logger": printable(record.name, 128),
        }
        given: object = getattr(record, _FIELDS, {})
        if isinstance(given, Mapping):
            for name, value in given.items():
                # A field never replaces what the record itself says.
                fields.setdefault(printable(str(name), 64), _safe_field(name, value))
        if record.exc_info and record.exc_info[1] is not None:
            fields.update(self._error(record.exc_info[1]))
        return fields

    def _error(self, error: BaseException) -> dict[str, object]:
        fields: dict[str, object] = {
            "error_code": _code(error),
            "error": _safe_text(str(error)),
        }
        if self._with_traceback:
            lines = "".join(traceback.format_exception(error))
            fields["traceback"] = _safe_text(lines, _TRACEBACK_CHARACTERS)
        return fields


class _JSON(_Formatter):
    """One object a line; every control character is written out."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.fields(record), ensure_ascii=False)


class _Console(_Formatter):
    """`12:01:47 warning  crawl failed  registry=hub`, for a person who watches."""

    def format(self, record: logging.LogRecord) -> str:
        fields = self.fields(record)
        time, level, event = (
            str(fields.pop(key)) for key in ("time", "level", "event")
        )
        fields.pop("logger")
        words = [f"{time[11:19]} {level:<7} {event}"]
        words += [f"{name}={_quoted(value)}" for name, value in fields.items()]
        return "  ".join(words)


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text


def _safe_field(name: object, value: object, depth: int = 0) -> object:
    if str(name).lower() in _SECRET_FIELDS and value is not None:
        return REDACTED
    return _safe(value, depth)


def _code(error: BaseException) -> str:
    return error.code if isinstance(error, WeighbridgeError) else type(error).__name__


def _safe_text(text: str, characters: int = _VALUE_CHARACTERS) -> str:
    # Cut first, so that a stranger's megabytes cost nothing; a token that the cut
    # opens lies behind what is shown.
    return printable(mask(text[: 2 * characters]), characters)


def _safe(value: object, depth: int = 0) -> object:
    """The value as JSON can hold it, strings without control characters."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        # JSON has no NaN and no infinity (RFC 8259 6).
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, Secret):
        return REDACTED
    if isinstance(value, bytes | bytearray):
        return f"<{len(value)} bytes>"
    if isinstance(value, datetime):
        return value.isoformat()
    if depth < _DEPTH and isinstance(value, Mapping):
        return {
            printable(str(key), 64): _safe_field(key, item, depth + 1)
            for key, item in value.items()
        }
    if depth < _DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_safe(item, depth + 1) for item in value]
    return _safe_text(str(value))
