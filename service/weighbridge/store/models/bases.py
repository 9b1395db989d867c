"""Bases: what the images of base repositories were ever made of and called, which image
stands on which of them, and what stands on each.

Rows of `base_chains` and `base_names` are never deleted: an image is found to stand on
a base long after the base's tag has moved on, or its repository was forgotten. So they
say hosts and names, not ids.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from weighbridge.domain.base.variants import VARIANT_KINDS
from weighbridge.domain.image.image_base import FOUND_BY, RELATIONS
from weighbridge.domain.report.base import BASE_STATES
from weighbridge.store.models.types import (
    UTF8,
    DigestBytes,
    Enumeration,
    Id,
    Moment,
    metadata,
)

# The repositories whose images are bases, as the configuration says.
base_repositories = Table(
    "base_repositories",
    metadata,
    Column(
        "repository_id",
        ForeignKey("repositories.id"),
        primary_key=True,
        autoincrement=False,
    ),
    # What people write of it in FROM: `docker.io` and `library/debian`, though it may
    # be a mirror that is crawled.
    Column("host", UTF8, nullable=False),
    Column("repository", UTF8, nullable=False),
    # Whether the tags that it had before it was a base are among `base_names`.
    Column("is_recorded", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

base_chains = Table(
    "base_chains",
    metadata,
    Column("id", Id, primary_key=True),
    # Over its layers, base first: see `domain.base.chain`.
    Column("chain", LargeBinary, nullable=False),
    Column("layer_count", Integer, nullable=False),
    Column("platform_id", BigInteger),
    Column("compressed_bytes", BigInteger, nullable=False),  # as its manifest claims
    Column("image_id", BigInteger),  # one that has it; it may be pruned by now
    # The same over its lines, and how many these are: images with the same layers may
    # be two bases, of which one adds an ENV. Empty and 0: its lines tell nothing.
    Column("history", LargeBinary, nullable=False),
    Column("line_count", Integer, nullable=False),
    # Whether images that were kept before it have been held against it.
    Column("is_swept", Boolean, nullable=False),
    Column("first_seen_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),  # a tag came to it, or left it
    UniqueConstraint("chain", "history"),
    Index(None, "history"),
)
Index(
    "ix_base_chains_unswept",
    base_chains.c.id,
    sqlite_where=base_chains.c.is_swept.is_(False),
)

# What images with this chain and these lines were called: a row for each tag of each.
base_names = Table(
    "base_names",
    metadata,
    Column("id", Id, primary_key=True),
    Column("base_chain_id", ForeignKey("base_chains.id"), nullable=False),
    Column("host", UTF8, nullable=False),
    Column("repository", UTF8, nullable=False),
    Column("tag", UTF8, nullable=False),
    Column("digest", DigestBytes, nullable=False),  # of the image's manifest
    # The index by which the tag led to it last; None: the tag points to it.
    Column("index_digest", DigestBytes),
    Column("first_seen_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Column("left_at", Moment),  # the tag moved away; None: it leads there now
    UniqueConstraint("base_chain_id", "host", "repository", "tag", "digest"),
    Index(None, "host", "repository", "tag", "left_at"),
    Index(None, "digest"),
)
Index(
    "ix_base_names_index_digest",
    base_names.c.index_digest,
    sqlite_where=base_names.c.index_digest.is_not(None),
)

# Of images whose base is known, or that name one themselves.
image_bases = Table(
    "image_bases",
    metadata,
    Column("image_id", BigInteger, primary_key=True, autoincrement=False),
    Column("base_chain_id", BigInteger),  # None: the base is no image that we know
    # None: nothing but what an annotation says, in which the layers do not agree.
    Column("relation", Enumeration(RELATIONS)),
    Column("found_by", Enumeration(FOUND_BY)),
    # What its annotations say, right or wrong; None: they say nothing.
    Column("reference", UTF8),
    Column("digest", DigestBytes),
    sqlite_with_rowid=False,
)
# What stands on a base, in the order in which it is listed.
Index(None, image_bases.c.base_chain_id, image_bases.c.image_id)
Index(
    "ix_image_bases_reference",
    image_bases.c.reference,
    image_bases.c.image_id,
    sqlite_where=image_bases.c.base_chain_id.is_(None),
)

# What stands on each base, by its name as people write it in FROM, counted anew every
# few minutes (`read_model.base_summaries`). NULL is unknown: of a base that is not
# crawled.
base_summaries = Table(
    "base_summaries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("reference", UTF8, nullable=False, unique=True),
    Column("state", Enumeration(BASE_STATES), nullable=False),
    Column("outdated_since", Moment),
    # The build of which layers, bytes and platform are shown.
    Column("base_chain_id", ForeignKey("base_chains.id")),
    Column("image_count", BigInteger, nullable=False),
    Column("outdated_image_count", BigInteger),
    # Images that nothing but their annotation puts on it: in no other number.
    Column("claimed_count", BigInteger, nullable=False),
    Column("repository_count", BigInteger, nullable=False),
    # Of them, those whose newest image is on it, and on an older build of it.
    Column("newest_count", BigInteger, nullable=False),
    Column("outdated_newest_count", BigInteger),
    Column("build_count", BigInteger),
    Column("weighed_bytes", BigInteger, nullable=False),  # each image once
    Column("base_bytes", BigInteger),  # of that, the base's, for each image
    Column("own_bytes", BigInteger),
    Column("stored_bytes", BigInteger),  # each build once a storage scope
    # Builds that images stand on: JSON, [[chain, state, left at or null], ...].
    Column("builds", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
    # By slimmer variants, of one pull of each repository's newest image.
    Column("saved_bytes", BigInteger),
    # Whose row of `base_savings` is shown: that of the build above, if it has one.
    Column("saving_chain_id", BigInteger),
    # Images that have the layers of a build with such a row, repositories with one, and
    # what storage would hold less if all moved; NULL: no such row, or not known.
    Column("saving_image_count", BigInteger),
    Column("saving_repository_count", BigInteger),
    Column("saved_stored_bytes", BigInteger),
)

# Of builds whose name has a lighter variant: the one that saves most. Counted with
# `base_summaries`, as are the rows of the next table.
base_savings = Table(
    "base_savings",
    metadata,
    Column("base_chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("base", UTF8, nullable=False),  # its name that the variant's goes with
    Column("base_bytes", BigInteger, nullable=False),
    Column("kind", Enumeration(VARIANT_KINDS), nullable=False),
    Column("variant", UTF8, nullable=False),
    Column("variant_bytes", BigInteger, nullable=False),
    Column("saved_bytes", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Repositories whose newest image it would save that. An image that has become the
# newest since, or a repository that is gone, is seen by comparing.
repository_savings = Table(
    "repository_savings",
    metadata,
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("registry_id", BigInteger, nullable=False),
    Column("image_id", BigInteger, nullable=False),
    Column("base_chain_id", BigInteger, nullable=False),
    Column("saved_bytes", BigInteger, nullable=False),
    Index("ix_repository_savings_saved_bytes", "saved_bytes", "repository_id"),
    sqlite_with_rowid=False,
)

# How far the repositories are read that are named for their bases alone.
base_readings = Table(
    "base_readings",
    metadata,
    Column("host", UTF8, primary_key=True),
    Column("repository", UTF8, primary_key=True),
    Column("registry", UTF8, nullable=False),  # the entry that was asked
    Column("tags_wanted", Integer),  # None: its tags could not be listed yet
    Column("tags_read", Integer, nullable=False),
    Column("code", UTF8, nullable=False),  # what kept it from its end, "" for nothing
    Column("reason", UTF8, nullable=False),  # the same for people
    Column("failing_since", Moment),
    Column("tried_at", Moment),  # None: never
    Column("read_at", Moment),  # when all of these tags were last known
    sqlite_with_rowid=False,
)

ENDLESS: Final = (base_chains, base_names)
"""Tables from which nothing is ever deleted."""
