"""What one database says differently from another: the only place that knows.

Statements are made once, at import, and work on SQLite and on PostgreSQL: lists
travel as one parameter, so that neither SQLAlchemy nor the database compiles a
statement again for each length, and what is written many rows at a time is one
statement for each database. Nothing here loads a database's dialect or its driver:
that is done when one is opened.
"""

from weighbridge.store.dialect.joins import (
    among_bytes,
    among_ids,
    among_texts,
    given_ids,
    given_texts,
    join_in_order,
    listed,
    probe,
    probe_if_any,
    where_null,
)
from weighbridge.store.dialect.many_rows import (
    BulkDelete,
    BulkInsert,
    BulkUpdate,
    BulkUpdateReturning,
    BulkUpsert,
    NumberedRows,
    Rows,
)
from weighbridge.store.dialect.server import (
    POSTGRESQL,
    Purpose,
    lock,
    lock_writers_out,
    settles_at_once,
    wait_at_most,
)

__all__ = [
    "POSTGRESQL",
    "BulkDelete",
    "BulkInsert",
    "BulkUpdate",
    "BulkUpdateReturning",
    "BulkUpsert",
    "NumberedRows",
    "Purpose",
    "Rows",
    "among_bytes",
    "among_ids",
    "among_texts",
    "given_ids",
    "given_texts",
    "join_in_order",
    "listed",
    "lock",
    "lock_writers_out",
    "probe",
    "probe_if_any",
    "settles_at_once",
    "wait_at_most",
    "where_null",
]
