"""What the databases are called, and what is the same for all of one name."""

from typing import Final

from sqlalchemy import Dialect

POSTGRESQL: Final = "postgresql"


def settles_at_once(dialect: Dialect) -> bool:
    """Whether what changes hands is settled in the transaction that changed it."""
    return dialect.name != POSTGRESQL
