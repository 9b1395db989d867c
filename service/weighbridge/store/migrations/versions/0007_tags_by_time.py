"""Find the tags of a repository that moved last without reading the others."""

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None
READS: tuple[str, ...] = ("tags",)


def upgrade() -> None:
    op.create_index(
        "ix_tags_moved_last",
        "tags",
        [
            "repository_id",
            sa.text("coalesce(moved_at, first_seen_at) DESC"),
            sa.text("coalesce(pushed_at, -1) DESC"),
            sa.text("natural_key DESC"),
        ],
    )
