"""Keep what registries tell of pulls, and what was pulled and stored in each month."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "repository_pulls",
        _key("repository_id"),
        sa.Column("pulls", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.SmallInteger(), nullable=False),
        sa.Column("window_s", sa.BigInteger()),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("counted_until", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tag_pulls",
        _key("tag_id"),
        sa.Column("pulled_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pull_months",
        sa.Column("month", sa.Integer(), primary_key=True, autoincrement=False),
        _key("repository_id"),
        sa.Column("pulls", sa.BigInteger()),
        sa.Column("low_bytes", sa.BigInteger()),
        sa.Column("high_bytes", sa.BigInteger()),
        sa.Column("is_estimate", sa.Boolean(), nullable=False),
        sa.Column("counted_from", sa.BigInteger(), nullable=False),
        sa.Column("counted_until", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_pull_months_high_bytes",
        "pull_months",
        ["month", "high_bytes", "repository_id"],
    )
    op.create_table(
        "storage_months",
        sa.Column("month", sa.Integer(), primary_key=True, autoincrement=False),
        _key("repository_id"),
        sa.Column("byte_days", sa.BigInteger(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
    )


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False)
