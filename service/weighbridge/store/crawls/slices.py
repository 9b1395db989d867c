"""What begins the crawls of many repositories by a few statements for all: claims,
crawls, and what is known of each. A repository in other hands drops out alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    Connection,
    bindparam,
    exists,
    or_,
    select,
)

from weighbridge.store.crawls.choosing import Slice, choose
from weighbridge.store.crawls.crawl_rows import CrawlStart, OpenCrawl, open_crawls
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.leases.claiming import Claim, Opening, claim_many
from weighbridge.store.ledger.blob_expressions import HAS_FACTS
from weighbridge.store.models import (
    blobs,
    images,
    repositories,
    repository_manifests,
    tags,
)
from weighbridge.store.tags.applying import KnownTag

SMALL: Final = 200
"""A repository with more live tags is not read as a whole when it is opened."""

_table = repositories.c
_live = repository_manifests.c
_KNOWN: Final = Rows(
    select(
        tags.c.repository_id,
        tags.c.name,
        blobs.c.digest,
        tags.c.error_code,
        tags.c.error_digest,
        tags.c.pushed_at,
    )
    .outerjoin_from(tags, blobs, blobs.c.id == tags.c.target_id)
    .where(among_ids(tags.c.repository_id), tags.c.deleted_at.is_(None))
)
# With a limit, so that PostgreSQL looks for one in each repository, and does not join
# all that there is where nobody has counted it yet.
_LACKING: Final = Rows(
    select(_table.id).where(
        among_ids(_table.id),
        select(_live.manifest_id)
        .join_from(repository_manifests, blobs, blobs.c.id == _live.manifest_id)
        .outerjoin(images, images.c.id == _live.manifest_id)
        .where(
            _live.repository_id == _table.id,
            or_(~HAS_FACTS, images.c.problems.is_not(None)),
        )
        .limit(1)
        .scalar_subquery()
        .is_not(None),
    )
)
_WITH_TAGS: Final = Rows(
    select(_table.id).where(
        among_ids(_table.id), exists().where(tags.c.repository_id == _table.id)
    )
)
_MADE_BEFORE: Final = (
    select(_table.id)
    .where(
        _table.registry_id == bindparam("registry"),
        _table.lease_owner == bindparam("owner"),
    )
    .order_by(_table.due_at, _table.id)
)


class Opened(Struct, frozen=True):
    """A repository that may be crawled, and what is known of it.

    known:    its live tags; None: more than `SMALL`, to be read by pages
    is_whole: they are here, and nothing that they lead to lacks facts
    has_tags: or had; False: nothing of it was ever kept
    """

    claim: Claim
    opened: OpenCrawl
    known: Mapping[str, KnownTag] | None
    is_whole: bool
    has_tags: bool


def open_many(
    connection: Connection, openings: Sequence[Opening]
) -> list[Opened | None]:
    """Claim repositories and begin their crawls; None for each that another process
    has, or, where it is wanted so, that is not due."""
    claims = claim_many(connection, openings)
    # Of two who take one repository in a batch the last one has it.
    ours = {held.repository_id: held for held in claims if held is not None}
    beginnings = [
        CrawlStart(held, opening.now, opening.resume_s)
        for held, opening in zip(claims, openings, strict=True)
        if held is not None and held is ours[held.repository_id]
    ]
    if not beginnings:
        return [None] * len(openings)
    crawls = open_crawls(connection, beginnings)
    begun = {b.claim.repository_id: p for b, p in zip(beginnings, crawls, strict=True)}
    found = _known(connection, ours.values())
    return [
        Opened(held, begun[held.repository_id], *found[held.repository_id])
        if held is not None and held is ours[held.repository_id]
        else None
        for held in claims
    ]


class _KnownTags(NamedTuple):
    known: Mapping[str, KnownTag] | None
    is_whole: bool
    has_tags: bool


def _known(connection: Connection, claims: Iterable[Claim]) -> dict[int, _KnownTags]:
    counts = {held.repository_id: held.tags for held in claims}
    known: dict[int, dict[str, KnownTag]] = {
        number: {} for number, count in counts.items() if count <= SMALL
    }
    filled = [number for number in known if counts[number]]
    lacking: set[int] = set()
    if filled:
        parameters = {"ids": listed(filled)}
        for number, name, *rest in _KNOWN.read(connection, parameters):
            known[number][name] = KnownTag(*rest)
        lacking = {number for (number,) in _LACKING.read(connection, parameters)}
    empty = [number for number, count in counts.items() if not count]
    had: set[int] = set()
    if empty:
        rows = _WITH_TAGS.read(connection, {"ids": listed(empty)})
        had = {number for (number,) in rows}
    return {
        number: _KnownTags(
            known.get(number),
            number in known and number not in lacking,
            bool(count) or number in had,
        )
        for number, count in counts.items()
    }


def open_slice(connection: Connection, wanted: Slice) -> list[Opened]:
    """Open the repositories of a registry that have been due longest. None of one that
    is unreachable: it is asked itself first.

    Several who do this at once share nothing and never wait for each other. Who does
    it again, because nobody knows whether the first time was committed, is given the
    same ones.
    """
    made = _made_before(connection, wanted)
    ids = made or choose(connection, wanted)
    openings = [
        Opening(
            number,
            wanted.now,
            wanted.lease_s,
            wanted.owner,
            only_due=not made,
            resume_s=wanted.resume_s,
        )
        for number in ids
    ]
    opened = open_many(connection, openings) if openings else []
    return [one for one in opened if one is not None]


def _made_before(connection: Connection, wanted: Slice) -> list[int]:
    parameters = {"registry": wanted.registry_id, "owner": wanted.owner}
    return list(connection.execute(_MADE_BEFORE, parameters).scalars())
