"""Keep what bases are made of and called, and which image stands on which."""

import sqlalchemy as sa
from alembic import op

from weighbridge.store.dialect import POSTGRESQL

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    is_server = op.get_bind().dialect.name == POSTGRESQL
    # Names sort by their bytes on PostgreSQL, as those of a new database do.
    text = sa.Text(collation="C") if is_server else sa.Text()
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "base_repositories",
        sa.Column(
            "repository_id",
            number,
            sa.ForeignKey("repositories.id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("host", text, nullable=False),
        sa.Column("repository", text, nullable=False),
        sa.Column("is_recorded", sa.Boolean(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "base_chains",
        sa.Column("id", number, primary_key=True),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("layer_count", sa.Integer(), nullable=False),
        sa.Column("platform_id", sa.BigInteger()),
        sa.Column("compressed_bytes", sa.BigInteger(), nullable=False),
        sa.Column("image_id", sa.BigInteger()),
        sa.Column("history", sa.LargeBinary(), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("is_swept", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("chain", "history"),
    )
    op.create_index("ix_base_chains_history", "base_chains", ["history"])
    unswept = "is_swept IS false" if is_server else "is_swept IS 0"
    _index_some("base_chains", "unswept", "id", unswept)
    op.create_table(
        "base_names",
        sa.Column("id", number, primary_key=True),
        sa.Column(
            "base_chain_id", number, sa.ForeignKey("base_chains.id"), nullable=False
        ),
        sa.Column("host", text, nullable=False),
        sa.Column("repository", text, nullable=False),
        sa.Column("tag", text, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("index_digest", sa.LargeBinary()),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("left_at", sa.BigInteger()),
        sa.UniqueConstraint("base_chain_id", "host", "repository", "tag", "digest"),
    )
    op.create_index(
        "ix_base_names_host_repository_tag_left_at",
        "base_names",
        ["host", "repository", "tag", "left_at"],
    )
    op.create_index("ix_base_names_digest", "base_names", ["digest"])
    _index_some(
        "base_names", "index_digest", "index_digest", "index_digest IS NOT NULL"
    )
    op.create_table(
        "image_bases",
        sa.Column("image_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("base_chain_id", sa.BigInteger()),
        sa.Column("relation", sa.SmallInteger()),
        sa.Column("found_by", sa.SmallInteger()),
        sa.Column("reference", text),
        sa.Column("digest", sa.LargeBinary()),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_image_bases_base_chain_id_image_id",
        "image_bases",
        ["base_chain_id", "image_id"],
    )
    _index_some(
        "image_bases", "reference", "reference, image_id", "base_chain_id IS NULL"
    )
    op.create_table(
        "base_summaries",
        sa.Column("id", number, primary_key=True),
        sa.Column("reference", text, nullable=False, unique=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("outdated_since", sa.BigInteger()),
        sa.Column("base_chain_id", number, sa.ForeignKey("base_chains.id")),
        sa.Column("image_count", sa.BigInteger(), nullable=False),
        sa.Column("outdated_image_count", sa.BigInteger()),
        sa.Column("claimed_count", sa.BigInteger(), nullable=False),
        sa.Column("repository_count", sa.BigInteger(), nullable=False),
        sa.Column("newest_count", sa.BigInteger(), nullable=False),
        sa.Column("outdated_newest_count", sa.BigInteger()),
        sa.Column("build_count", sa.BigInteger()),
        sa.Column("weighed_bytes", sa.BigInteger(), nullable=False),
        sa.Column("base_bytes", sa.BigInteger()),
        sa.Column("own_bytes", sa.BigInteger()),
        sa.Column("stored_bytes", sa.BigInteger()),
        sa.Column("builds", text, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
    )


def _index_some(table: str, name: str, columns: str, condition: str) -> None:
    """An index of the rows for which the condition is true."""
    where = sa.text(condition)
    op.create_index(
        f"ix_{table}_{name}",
        table,
        columns.split(", "),
        sqlite_where=where,
        postgresql_where=where,
    )
