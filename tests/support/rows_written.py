"""How many rows a connection has written so far, as the database counts them."""

from typing import Final

from sqlalchemy import Connection

_COUNTS: Final = {
    "sqlite": "SELECT total_changes()",
    "postgresql": "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint"
    " FROM pg_stat_xact_user_tables",
}


def rows_written(connection: Connection) -> int:
    """Grows with each row; on PostgreSQL it begins anew with each transaction."""
    statement = _COUNTS[connection.dialect.name]
    count: int = connection.exec_driver_sql(statement).scalar_one()
    return count
