"""The read model: a row for each repository."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
)

from weighbridge.domain.size.confidence import COMPRESSED_CONFIDENCES, CONFIDENCES
from weighbridge.store.models.types import UTF8, Enumeration, Moment, metadata

# The read model, with an index for each order in which repositories are listed. Those
# of growth and of exclusive, deduplicated and shared bytes are made by `creation`, each
# over its expression as a query has it.
repository_summaries = Table(
    "repository_summaries",
    metadata,
    Column(
        "repository_id",
        ForeignKey("repositories.id"),
        primary_key=True,
        autoincrement=False,
    ),
    # Of the repository; None of one that is gone: it is in no list and in no sum.
    Column("registry_id", BigInteger),
    Column("tag_count", BigInteger, nullable=False),
    Column("image_count", BigInteger, nullable=False),
    Column("tags_failed", BigInteger, nullable=False),
    Column("newest_tag", UTF8),
    Column("newest_image_id", BigInteger),
    Column("newest_platform", UTF8),
    Column("newest_by", Text),
    Column("newest_at", Moment),
    Column("newest_compressed_bytes", BigInteger),
    Column("newest_compressed_confidence", Enumeration(COMPRESSED_CONFIDENCES)),
    Column("newest_uncompressed_bytes", BigInteger),
    Column("newest_uncompressed_confidence", Enumeration(CONFIDENCES)),
    Column("newest_layers", Integer),
    Column("baseline_compressed_bytes", BigInteger),
    Column("heaviest_instruction_id", BigInteger),
    Column("heaviest_compressed_bytes", BigInteger),
    Column("largest_compressed_bytes", BigInteger),
    Column("referenced_bytes", BigInteger),
    Column("weighed_bytes", BigInteger),
    Column("deduplicated_bytes", BigInteger, nullable=False),
    Column("exclusive_bytes", BigInteger, nullable=False),
    # Something below it changed since: what a crash leaves is made good by the next.
    Column("is_stale", Boolean, nullable=False),
    # `referenced_bytes` cannot be told by what tags come to and leave: what one leads
    # to has got another size, or the sum does not fit.
    Column("is_uncounted", Boolean, nullable=False),
    # Something came to it of which the registry may not have been asked.
    Column("is_unmeasured", Boolean, nullable=False),
    Column("changed_at", Moment, nullable=False),  # by `refresh_summary`
    Column("revision", BigInteger, nullable=False),  # counts every change of the row
    # Live tags that stand over a limit of theirs: the rows of `over_tags`, counted.
    Column("over_tags", BigInteger, nullable=False, default=0),
    # What these were found by (`PolicySet.mark_of`); "" for no limit at all.
    Column("limits_mark", Text, nullable=False, default=""),
    # Of some it is not known yet, as their layers are not measured.
    Column("over_waits", Boolean, nullable=False, default=False),
    *(
        Index(
            f"ix_repository_summaries_by_{order}",
            "registry_id",
            column,
            "repository_id",
        )
        for order, column in (
            ("compressed", "newest_compressed_bytes"),
            ("uncompressed", "newest_uncompressed_bytes"),
            ("heaviest", "heaviest_compressed_bytes"),
            ("largest", "largest_compressed_bytes"),
            ("layers", "newest_layers"),
            ("newest", "newest_at"),
            ("referenced", "referenced_bytes"),
            ("weighed", "weighed_bytes"),
            ("tags", "tag_count"),
            ("images", "image_count"),
            ("failed", "tags_failed"),
        )
    ),
)
