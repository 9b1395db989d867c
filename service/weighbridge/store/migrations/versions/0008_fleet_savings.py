"""Keep what all images on a base would save on its slimmer variants."""

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    for name in (
        "saving_chain_id",
        "saving_image_count",
        "saving_repository_count",
        "saved_stored_bytes",
    ):
        op.add_column("base_summaries", sa.Column(name, sa.BigInteger()))
