"""Keep whose repositories a token shows, and the text that it had before."""

import sqlalchemy as sa
from alembic import op

from weighbridge.store.dialect import POSTGRESQL

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    is_server = op.get_bind().dialect.name == POSTGRESQL
    # Names sort by their bytes on PostgreSQL, as those of a new database do.
    text = sa.Text(collation="C") if is_server else sa.Text()
    op.add_column("tokens", sa.Column("teams", text))
    op.add_column("tokens", sa.Column("previous_sha256", sa.LargeBinary()))
    op.add_column("tokens", sa.Column("previous_until", sa.BigInteger()))
    op.add_column("tokens", sa.Column("renewed_at", sa.BigInteger()))
