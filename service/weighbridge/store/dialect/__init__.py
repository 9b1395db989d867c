"""What one database says differently from another: the only place that knows.

Statements are made once, at import, and work on SQLite and on PostgreSQL: lists
travel as one parameter, so that neither SQLAlchemy nor the database compiles a
statement again for each length, and what is written many rows at a time is one
statement for each database. Nothing here loads a database's dialect or its driver:
that is done when one is opened.
"""

from weighbridge.store.dialect.among import among_bytes, among_ids, among_texts, listed
from weighbridge.store.dialect.given import (
    given_ids,
    given_texts,
    probe,
    probe_if_any,
)
from weighbridge.store.dialect.many_rows import (
    BulkDelete,
    BulkInsert,
    BulkUpdate,
    BulkUpdateReturning,
    BulkUpsert,
)
from weighbridge.store.dialect.names import POSTGRESQL, settles_at_once
from weighbridge.store.dialect.numbered import NumberedRows
from weighbridge.store.dialect.planner_hints import join_in_order, where_null
from weighbridge.store.dialect.process_locks import (
    Purpose,
    lock,
    lock_writers_out,
    wait_at_most,
)
from weighbridge.store.dialect.rows import Rows

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
