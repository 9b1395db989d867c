"""Work that is due: shared jobs, crawls of repositories, what was asked for, and the
inbox of webhooks."""

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
)

from weighbridge.store.models.types import UTF8, DigestBytes, Id, Moment, metadata

# Work on a whole registry, or on everything, that several processes share: when it is
# due, and who does it now.
jobs = Table(
    "jobs",
    metadata,
    Column("job", Text, primary_key=True),
    Column("argument", UTF8, primary_key=True),
    Column("due_at", Moment, nullable=False),
    Column("lease_until", Moment),
    Column("lease_owner", UTF8),
    Column("attempts", Integer, nullable=False),  # begun since one came to an end
    Column("done_at", Moment),  # when one last came to an end
)

crawls = Table(
    "crawls",
    metadata,
    Column("id", Id, primary_key=True),
    Column("repository_id", ForeignKey("repositories.id"), nullable=False),
    Column("registry_id", BigInteger, nullable=False),  # of the repository
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("state", Text, nullable=False),  # running, interrupted, or the result's
    Column("reason", UTF8, nullable=False),
    Column("tags_seen", BigInteger, nullable=False),
    Column("tags_new", BigInteger, nullable=False),
    Column("tags_moved", BigInteger, nullable=False),
    Column("tags_deleted", BigInteger, nullable=False),
    Column("tags_failed", BigInteger, nullable=False),
    Column("invalid_tags", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("bytes_read", BigInteger, nullable=False),
    Column("resumes", Integer, nullable=False),  # how often a process took it up again
    # JSON list: tags that were pushed while it runs, as whoever has the claim has seen.
    Column("overtaken", Text),
    Index(None, "repository_id", "id"),
    Index(None, "registry_id", "id"),
)

# The cursor of a crawl that is under way: the tags that it need not ask again, written
# in the transaction that kept what they are, deleted when the crawl ends. And what is
# still to be asked where that is so much that several processes share it.
crawl_chunks = Table(
    "crawl_chunks",
    metadata,
    Column("crawl_id", ForeignKey("crawls.id"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("step", Integer, nullable=False),  # batches that were kept of it
    Column("names", Text, nullable=False),  # JSON list: tags that were answered about
    Column("tags", Text),  # JSON: what was listed of those to ask; None: all are asked
    Column("found", Text),  # JSON: what its end says to the crawl
    Column("lease_until", Moment),
    Column("lease_owner", UTF8),
    sqlite_with_rowid=False,
)
Index(
    "ix_crawl_chunks_open",
    crawl_chunks.c.crawl_id,
    crawl_chunks.c.position,
    sqlite_where=crawl_chunks.c.tags.is_not(None),
)

# What somebody asked for, by command or API: to crawl a registry, or some of its
# repositories, now.
crawl_requests = Table(
    "crawl_requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("registry_id", ForeignKey("registries.id"), nullable=False),
    Column("repositories", Text),  # JSON list of names; None: all
    Column("measures", Boolean, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column(
        "after_crawl_id", BigInteger, nullable=False
    ),  # the last that had begun before
    # Who waits for it, as long as that process lives; None: nobody.
    Column("owner", UTF8),
    Column("lease_until", Moment),
    Column("state", Text, nullable=False),
    Column("reason", UTF8, nullable=False),
    Column("known", BigInteger),  # its repositories; None: not listed yet
    Column("crawled_at", Moment),
    Column("ended_at", Moment),
    Column("complete", BigInteger),
    Column("partial", BigInteger),
    Column("failed", BigInteger),
    Column("tags", BigInteger),
    Column("requests", BigInteger),
    Column("bytes_read", BigInteger),
)
# Of one registry: those that are under way.
Index(
    "ix_crawl_requests_open",
    crawl_requests.c.registry_id,
    sqlite_where=crawl_requests.c.ended_at.is_(None),
)

# The inbox of webhooks: committed before the sender gets its 2xx. It names what may
# have changed; what did is asked of the registry. A registry or repository that is
# not configured has no row.
pushes = Table(
    "pushes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("registry", UTF8, nullable=False),  # as configured
    Column("source", Text, nullable=False),
    # SHA-256 of source, registry and what names the event: it is taken once.
    Column("event_key", LargeBinary, nullable=False, unique=True),
    Column("repository", UTF8, nullable=False),
    Column("tag", UTF8),  # None: the sender did not say, all of them may have moved
    Column("digest", DigestBytes),
    Column("is_delete", Boolean, nullable=False),
    Column("pushed_at", Moment),  # as the sender says
    Column("received_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),  # not crawled before
    Column("attempts", Integer, nullable=False),
    Column("done_at", Moment),  # None: waits
    # A code: what came of it; while it waits, why the last attempt brought no answer.
    Column("outcome", Text, nullable=False),
)
# By when: of a flood most rows are held back, and are not to be read at each attempt.
Index(
    "ix_pushes_waiting",
    pushes.c.registry,
    pushes.c.repository,
    pushes.c.due_at,
    sqlite_where=pushes.c.done_at.is_(None),
)
# How often a tag was handled just now.
Index(
    "ix_pushes_done",
    pushes.c.registry,
    pushes.c.repository,
    pushes.c.done_at,
    sqlite_where=pushes.c.done_at.is_not(None),
)
