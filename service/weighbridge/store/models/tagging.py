"""Tags and their moves, and what is noted of a tag until it is judged."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
)

from weighbridge.store.models.types import UTF8, DigestBytes, Id, Moment, metadata

tags = Table(
    "tags",
    metadata,
    Column("id", Id, primary_key=True),
    Column("repository_id", ForeignKey("repositories.id"), nullable=False),
    Column("name", UTF8, nullable=False),
    Column("natural_key", UTF8, nullable=False),  # see natural_order.py
    Column("target_id", BigInteger),  # None: never read
    Column("first_seen_at", Moment, nullable=False),
    Column("moved_at", Moment),  # None: was there in the first complete crawl
    Column("pushed_at", Moment),
    Column("deleted_at", Moment),
    Column("error_code", Text),
    Column("error_message", UTF8),
    Column("error_digest", DigestBytes),
    Column("error_at", Moment),
    Index(None, "repository_id", "natural_key"),
)
UniqueConstraint(tags.c.repository_id, tags.c.name)

tag_moves = Table(
    "tag_moves",
    metadata,
    Column("tag_id", BigInteger, primary_key=True, autoincrement=False),
    Column("seen_from", Moment, primary_key=True, autoincrement=False),
    Column("target_id", BigInteger, nullable=False),
    Column("seen_until", Moment),
    Column("pushed_at", Moment),
    sqlite_with_rowid=False,
)

# Tags that moved and that no policy has been held against yet: written with the move,
# deleted with the verdict. None of a repository's first crawl: there only its newest
# image is judged.
unjudged = Table(
    "unjudged",
    metadata,
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tag_id", BigInteger, primary_key=True, autoincrement=False),
    Column("is_silent", Boolean, nullable=False),  # nobody is to be told
    # All was judged but its uncompressed size, which is not known yet.
    Column("is_weighed", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# Tags that stand over a limit of theirs, whatever came after them: a row for each
# platform and limit. Written with the verdict of whoever moved the tag, and swept where
# policies or sizes changed (`store/tags/over_tags.py`).
over_tags = Table(
    "over_tags",
    metadata,
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tag_id", BigInteger, primary_key=True, autoincrement=False),
    Column("platform", UTF8, primary_key=True),
    Column("limit_key", Text, primary_key=True),
    Column("policy", UTF8, nullable=False),
    Column("team", UTF8),
    Column("severity", Text, nullable=False),
    Column("image_id", BigInteger, nullable=False),
    Column("limit_amount", BigInteger, nullable=False),  # bytes, or a number of layers
    Column("amount", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
