"""Keep how far the repositories are read that are named for their bases alone."""

import sqlalchemy as sa
from alembic import op

from weighbridge.store.dialect import POSTGRESQL

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    is_server = op.get_bind().dialect.name == POSTGRESQL
    # Names sort by their bytes on PostgreSQL, as those of a new database do.
    text = sa.Text(collation="C") if is_server else sa.Text()
    op.create_table(
        "base_readings",
        sa.Column("host", text, primary_key=True),
        sa.Column("repository", text, primary_key=True),
        sa.Column("registry", text, nullable=False),
        sa.Column("tags_wanted", sa.Integer()),
        sa.Column("tags_read", sa.Integer(), nullable=False),
        sa.Column("code", text, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("tried_at", sa.BigInteger()),
        sa.Column("read_at", sa.BigInteger()),
        sqlite_with_rowid=False,
    )
