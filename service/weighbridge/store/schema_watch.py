"""Several versions over one database: waiting for the upgrade of its schema, and seeing
that another version has upgraded it."""

import time
from collections.abc import Callable
from typing import Final

import structlog

from weighbridge.beat import Beat
from weighbridge.errors import StoreError
from weighbridge.store.schema import check_schema, older_schema
from weighbridge.store.session import Database

_LOOK_S: Final = 2.0
_NEVER_S: Final = 86_400.0


def await_schema(database: Database, waits: Callable[[StoreError], None]) -> None:
    """Wait until somebody has upgraded an older schema to this version's.

    waits: called every two seconds, with what is waited for
    Raises StoreError(schema_version) for a schema that no upgrade makes this version's.
    """
    while (older := older_schema(database)) is not None:
        waits(older)
        time.sleep(_LOOK_S)


class SchemaWatch:
    """Looks every two seconds whether the schema is still this version's: in an upgrade
    of several processes the old ones stop then, and write nothing more.

    on_other: called once, when it is another's
    fault:    what is to be said of it then: StoreError(schema_version)
    """

    def __init__(self, database: Database, on_other: Callable[[], None]) -> None:
        self._database = database
        self._on_other = on_other
        self._beat = Beat("weighbridge-schema", self._step)
        self.fault: StoreError | None = None

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._beat.start()

    def close(self) -> None:
        """Look no more."""
        self._beat.close()

    def _step(self) -> float:
        try:
            check_schema(self._database)
        except StoreError as exc:
            if exc.code != "schema_version":
                return _LOOK_S  # It is away, or busy.
            self.fault = exc
            log = structlog.get_logger("weighbridge")
            log.error("stops, as the schema has changed", why=exc.message)
            self._on_other()
            return _NEVER_S
        return _LOOK_S
