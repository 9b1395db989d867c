"""Keep what a registry has shown to be, and by what."""

import sqlalchemy as sa
from alembic import op

from weighbridge.store.dialect import POSTGRESQL

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # Names sort by their bytes on PostgreSQL, as those of a new database do.
    is_server = op.get_bind().dialect.name == POSTGRESQL
    text = sa.Text(collation="C") if is_server else sa.Text()
    for name in ("kind_found", "kind_sign"):
        op.add_column("registries", sa.Column(name, text))
