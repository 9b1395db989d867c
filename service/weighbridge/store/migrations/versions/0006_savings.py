"""Keep what slimmer bases would save."""

import sqlalchemy as sa
from alembic import op

from weighbridge.store.dialect import POSTGRESQL

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    is_server = op.get_bind().dialect.name == POSTGRESQL
    # Names sort by their bytes on PostgreSQL, as those of a new database do.
    text = sa.Text(collation="C") if is_server else sa.Text()
    op.add_column("base_summaries", sa.Column("saved_bytes", sa.BigInteger()))
    op.create_table(
        "base_savings",
        sa.Column(
            "base_chain_id", sa.BigInteger(), primary_key=True, autoincrement=False
        ),
        sa.Column("base", text, nullable=False),
        sa.Column("base_bytes", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("variant", text, nullable=False),
        sa.Column("variant_bytes", sa.BigInteger(), nullable=False),
        sa.Column("saved_bytes", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "repository_savings",
        sa.Column(
            "repository_id", sa.BigInteger(), primary_key=True, autoincrement=False
        ),
        sa.Column("registry_id", sa.BigInteger(), nullable=False),
        sa.Column("image_id", sa.BigInteger(), nullable=False),
        sa.Column("base_chain_id", sa.BigInteger(), nullable=False),
        sa.Column("saved_bytes", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_repository_savings_saved_bytes",
        "repository_savings",
        ["saved_bytes", "repository_id"],
    )
