"""The first schema: what later migrations begin from.

A new database never comes by here: its tables are made from the models.
"""

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None
