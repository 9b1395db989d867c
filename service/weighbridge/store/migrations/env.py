"""How alembic runs here: inside the transaction that `upgrade` opened."""

from alembic import context
from sqlalchemy import Connection

from weighbridge.store.models import SCHEMA


def run() -> None:
    connection = context.config.attributes["connection"]
    if not isinstance(connection, Connection):
        raise TypeError("start migrations with: weighbridge db upgrade")
    context.configure(connection=connection, target_metadata=SCHEMA)
    with context.begin_transaction():
        context.run_migrations()


run()
