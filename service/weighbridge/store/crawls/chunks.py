"""The cursor of a crawl under way, in rows of `crawl_chunks`.

It is the set of tags that the crawl has been answered about, kept in pieces by the
transactions that kept what the tags are: a listing may have any order and may change
meanwhile, so that no name in it says what lies before.

Several processes may work on a crawl. Where a listing shows much that is still to be
asked, the tags are stored as chunks, and any process may take one: it has it alone as
long as its lease, or until it has asked all. Who has the repository's claim alone makes
chunks, and ends the crawl. What a chunk was answered is a piece of the crawl's cursor;
what all have done is added up in its row.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import add, sub
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import astuple
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    delete,
    exists,
    or_,
    select,
    update,
)

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.store.dialect import (
    BulkInsert,
    among_ids,
    among_texts,
    join_in_order,
    listed,
)
from weighbridge.store.leases.claiming import Claim, current_claim, hold
from weighbridge.store.leases.validity import has_ended, is_unleased
from weighbridge.store.models import crawl_chunks, crawls, registries, repositories
from weighbridge.store.session import lock_repositories

_chunk = crawl_chunks.c
_NEW: Final = BulkInsert(crawl_chunks, "crawl_id", "position", "step", "names", "tags")
IS_OPEN: Final = _chunk.tags.is_not(None)
"""A chunk that is not asked yet."""
IS_IT: Final = and_(
    _chunk.crawl_id == bindparam("crawl"), _chunk.position == bindparam("place")
)


class CrawlCounts(Struct, frozen=True):
    """What a crawl has done so far, or a part of that."""

    tags_seen: int = 0
    tags_new: int = 0
    tags_moved: int = 0
    tags_failed: int = 0
    requests: int = 0
    bytes_read: int = 0

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Of the columns of `crawls`."""
        return cls.__struct_fields__

    def __add__(self, other: "CrawlCounts") -> "CrawlCounts":
        return CrawlCounts(*map(add, astuple(self), astuple(other)))

    def __sub__(self, other: "CrawlCounts") -> "CrawlCounts":
        return CrawlCounts(*map(sub, astuple(self), astuple(other)))


NO_COUNTS: Final = CrawlCounts()


def adding(where: ColumnElement[bool]) -> Any:  # Any: see `sqlalchemy.Update`
    """Many count in one row: each adds what it has, once."""
    names = CrawlCounts.names()
    return (
        update(crawls)
        .where(crawls.c.id == bindparam("crawl"), where)
        .values({name: crawls.c[name] + bindparam(f"_{name}") for name in names})
    )


_ADD_OF_PIECE: Final = adding(~exists().where(IS_IT))
_DROP: Final = delete(crawl_chunks).where(among_ids(_chunk.crawl_id))
_CLOSE: Final = (
    update(crawl_chunks)
    .where(among_ids(_chunk.crawl_id), IS_OPEN)
    .values(tags=None, found=None, lease_until=None, lease_owner=None)
)
_PIECES: Final = select(_chunk.crawl_id, _chunk.position, _chunk.names).where(
    among_ids(_chunk.crawl_id)
)


def note_answered(
    connection: Connection,
    crawl_id: int,
    position: int,
    names: Collection[str],
    counts: CrawlCounts,
) -> None:
    """Move the cursor: these tags need not be asked again by this crawl.

    To be called in the transaction that keeps what they are. A piece that is there
    already was kept by a commit whose answer was lost.

    counts: what there was since the last piece
    """
    place = {"crawl": crawl_id, "place": position}
    connection.execute(_ADD_OF_PIECE, {**place, **counted(counts)})
    _NEW.add(connection, [(crawl_id, position, 1, json.dumps(list(names)), None)])


def counted(counts: CrawlCounts) -> dict[str, int]:
    """Parameters of `adding`."""
    return {f"_{name}": getattr(counts, name) for name in counts.names()}


def take_cursors(
    connection: Connection, crawl_ids: Collection[int]
) -> dict[int, tuple[frozenset[str], int]]:
    """Of crawls that are taken up, the tags that need not be asked again, and how many
    positions are taken. The listing is read anew, so that what was shared is not shared
    any more."""
    parameters = {"ids": listed(crawl_ids)}
    answered: dict[int, list[str]] = {number: [] for number in crawl_ids}
    chunks = dict.fromkeys(crawl_ids, 0)
    for crawl_id, position, names in connection.execute(_PIECES, parameters):
        answered[crawl_id] += json.loads(names)
        chunks[crawl_id] = max(chunks[crawl_id], position + 1)
    connection.execute(_CLOSE, parameters)
    return {n: (frozenset(answered[n]), chunks[n]) for n in crawl_ids}


def drop_chunks(connection: Connection, crawl_ids: Collection[int]) -> None:
    """Forget the cursors of crawls that have ended."""
    if crawl_ids:
        connection.execute(_DROP, {"ids": listed(crawl_ids)})


def note_overtaken(
    connection: Connection, crawl_id: int, names: Collection[str]
) -> None:
    """Tags about which the registry was asked again since they were pushed: what
    others of the crawl were told of them before counts no more. The repository's row
    is locked."""
    connection.execute(
        update(crawls)
        .where(crawls.c.id == crawl_id)
        .values(overtaken=json.dumps(sorted(names)))
    )


def read_overtaken(connection: Connection, crawl_id: int) -> set[str]:
    """The same. The repository's row is locked: whoever noted them has committed, or
    finds what we keep."""
    names = connection.execute(
        select(crawls.c.overtaken).where(crawls.c.id == crawl_id)
    ).scalar()
    return set(json.loads(names)) if names else set()


_IS_OURS: Final = and_(IS_IT, _chunk.lease_owner == bindparam("owner"))
_OF: Final = _chunk.crawl_id == bindparam("crawl")


# What has ended a process ends no others: who has the repository goes on with it.
_ENDED_NOBODY: Final = repositories.c.attempts <= 1
# From the chunks, which are few, not from a registry's repositories, which are not.
_OF_REPOSITORIES: Final = join_in_order(
    join_in_order(crawl_chunks, crawls, crawls.c.id == _chunk.crawl_id),
    repositories,
    repositories.c.id == crawls.c.repository_id,
)
_IS_UNTAKEN: Final = _chunk.lease_owner.is_(None)
_ADD_OF_CHUNK: Final = adding(
    exists().where(_IS_OURS, _chunk.step == bindparam("step") - 1)
)
_ADVANCE: Final = (
    update(crawl_chunks)
    .where(_IS_OURS)
    .values(
        step=bindparam("step"),
        names=bindparam("names"),
        found=bindparam("found"),
        tags=case((bindparam("is_done"), None), else_=_chunk.tags),
        lease_until=bindparam("until"),
    )
)
_LET_GO: Final = (
    update(crawl_chunks).where(_IS_OURS).values(lease_until=None, lease_owner=None)
)


class ChunkEnd(NamedTuple):
    """What the end of a chunk says to the crawl.

    unanswered: why some tag brought no answer, or ""
    faults:     tag, code and message of some that are not as they should be
    owner:      who has asked
    """

    unanswered: str = ""
    faults: Sequence[tuple[str, str, str]] = ()
    owner: str = ""


class ChunkKey(NamedTuple):
    """A chunk in our hands, under this claim of its repository."""

    claim: Claim
    crawl_id: int
    position: int
    owner: str

    @property
    def place(self) -> dict[str, object]:
        """Parameters of `_IS_OURS`."""
        return {"crawl": self.crawl_id, "place": self.position, "owner": self.owner}


class HeldChunk(Struct, frozen=True):
    """What somebody has taken.

    head_first: as whoever made it would ask
    names:      tags of it that are answered about
    tags:       the others
    step:       batches that were kept of it
    """

    key: ChunkKey
    head_first: bool
    names: Sequence[str]
    tags: Sequence[TagSeen]
    step: int
    found: ChunkEnd


class ChunkRequest(NamedTuple):
    """A chunk that somebody wants to take.

    owner:       this very taking, see `validity.one_claim`
    crawl_id:     of this crawl only
    registry_id: or, of whatever repository of this registry
    but_not:     repositories that are left out
    """

    now: datetime
    lease_s: float
    owner: str
    crawl_id: int | None = None
    registry_id: int | None = None
    but_not: Collection[int] = ()


class Advanced(NamedTuple):
    """How far a chunk has come with a batch.

    step:    which batch of it that is, from 1
    names:   all tags of it that were answered about so far
    is_done: nothing of it is left
    """

    key: ChunkKey
    now: datetime
    step: int
    names: Collection[str]
    found: ChunkEnd
    is_done: bool


def note_chunk(connection: Connection, part: Advanced, counts: CrawlCounts) -> None:
    """`note_answered` for a chunk, which is ours (`read_overtaken`).

    counts: of this batch
    """
    key, place = part.key, part.key.place
    connection.execute(_ADD_OF_CHUNK, {**place, "step": part.step, **counted(counts)})
    connection.execute(
        _ADVANCE,
        {
            **place,
            "step": part.step,
            "names": json.dumps(list(part.names)),
            "found": json.dumps(part.found),
            "is_done": part.is_done,
            "until": part.now + timedelta(seconds=key.claim.lease_s),
        },
    )


def share(
    connection: Connection,
    held: Claim,
    now: datetime,
    crawl_id: int,
    chunks: Mapping[int, Sequence[TagSeen]],
    *,
    head_first: bool,
) -> None:
    """Store chunks, each at its position. Raises StaleFence."""
    hold(connection, held, now)
    _NEW.add(
        connection,
        [
            (crawl_id, position, 0, "[]", _written(tags, head_first))
            for position, tags in chunks.items()
        ],
    )


def take_chunk(connection: Connection, wanted: ChunkRequest) -> HeldChunk | None:
    """Take a chunk that nobody works on; None: there is none. Who does it again,
    because nobody knows whether the first time was committed, is given the same one.

    Several who take at once do not wait for each other.
    """
    is_mine = _chunk.lease_owner == wanted.owner
    found = connection.execute(
        select(crawl_chunks, crawls.c.repository_id)
        .select_from(_OF_REPOSITORIES)
        .where(
            IS_OPEN,
            repositories.c.lease_until.is_not(None),
            *_of(wanted, is_mine),
        )
        .order_by(case((is_mine, 0), else_=1), _chunk.crawl_id, _chunk.position)
        .limit(1)
        .with_for_update(of=crawl_chunks, skip_locked=True)
    ).first()
    if found is None:
        return None
    claim = current_claim(connection, found.repository_id, wanted.lease_s)
    if claim is None:
        return None
    connection.execute(
        update(crawl_chunks)
        .where(_chunk.crawl_id == found.crawl_id, _chunk.position == found.position)
        .values(
            lease_owner=wanted.owner,
            lease_until=wanted.now + timedelta(seconds=wanted.lease_s),
        )
    )
    return _held(found, ChunkKey(claim, found.crawl_id, found.position, wanted.owner))


def _of(
    wanted: ChunkRequest, is_mine: ColumnElement[bool]
) -> tuple[ColumnElement[bool], ...]:
    if wanted.crawl_id is not None:
        is_free = is_unleased(_chunk.lease_until, wanted.now)
        return (_chunk.crawl_id == wanted.crawl_id, or_(is_mine, is_free))
    return (
        repositories.c.registry_id == wanted.registry_id,
        repositories.c.id.not_in(list(wanted.but_not)),
        _ENDED_NOBODY,
        or_(is_mine, _IS_UNTAKEN),
    )


def _held(row: Row[Any], key: ChunkKey) -> HeldChunk:
    head_first, tags = _read(row.tags)
    names = json.loads(row.names)
    answered = frozenset(names)
    faults = ChunkEnd(*json.loads(row.found)).faults if row.found else ()
    return HeldChunk(
        key,
        head_first,
        names,
        [tag for tag in tags if tag.name not in answered],
        row.step,
        # The others are asked again.
        ChunkEnd(faults=[(t, c, m) for t, c, m in faults if t in answered]),
    )


def let_go(connection: Connection, key: ChunkKey) -> None:
    """Give a chunk back that is not done. Nothing happens to one that is not ours."""
    connection.execute(_LET_GO, key.place)


def renew_chunks(
    connection: Connection, keys: Iterable[ChunkKey], now: datetime
) -> None:
    """Renew the leases of chunks of which there is nothing to keep for a while."""
    held = sorted(keys, key=lambda key: (key.crawl_id, key.position))
    lock_repositories(connection, {key.claim.repository_id for key in held})
    for key in held:
        connection.execute(
            update(crawl_chunks)
            .where(_IS_OURS, IS_OPEN)
            .values(lease_until=now + timedelta(seconds=key.claim.lease_s)),
            key.place,
        )


def is_held(connection: Connection, key: ChunkKey) -> bool:
    """Whether a chunk is ours still."""
    found = connection.execute(select(_chunk.step).where(_IS_OURS), key.place)
    return found.first() is not None


def is_open(connection: Connection, crawl_id: int) -> bool:
    """Whether some chunk of a crawl is not done. Those of processes that are known to
    have ended are given back."""
    owners = connection.execute(
        select(_chunk.lease_owner).where(_OF, IS_OPEN).distinct(), {"crawl": crawl_id}
    ).scalars()
    held = list(owners)
    ended = [owner for owner in held if has_ended(owner)]
    if ended:
        connection.execute(
            update(crawl_chunks)
            .where(_OF, IS_OPEN, among_texts(_chunk.lease_owner, "owners"))
            .values(lease_until=None, lease_owner=None),
            {"crawl": crawl_id, "owners": listed(ended)},
        )
    return bool(held)


def sum_up(connection: Connection, crawl_id: int) -> tuple[CrawlCounts, list[ChunkEnd]]:
    """What was counted by all who worked on a crawl, and found in its chunks."""
    row = connection.execute(select(crawls).where(crawls.c.id == crawl_id)).one()
    found = connection.execute(
        select(_chunk.found)
        .where(_OF, _chunk.found.is_not(None))
        .order_by(_chunk.position),
        {"crawl": crawl_id},
    ).scalars()
    counts = CrawlCounts(*(getattr(row, name) for name in CrawlCounts.names()))
    return counts, [ChunkEnd(*json.loads(text)) for text in found if text]


def has_chunk(connection: Connection, registry: str) -> bool:
    """Whether there is a chunk of a registry's repositories that nobody works on."""
    found = connection.execute(
        select(_chunk.crawl_id)
        .select_from(_OF_REPOSITORIES)
        .where(
            IS_OPEN,
            _IS_UNTAKEN,
            _ENDED_NOBODY,
            repositories.c.lease_until.is_not(None),
            repositories.c.registry_id
            == select(registries.c.id)
            .where(registries.c.name == registry)
            .scalar_subquery(),
        )
        .limit(1)
    )
    return found.first() is not None


def _written(tags: Sequence[TagSeen], head_first: bool) -> str:
    listed_tags = [
        (t.name, t.digest, t.pushed_at and t.pushed_at.isoformat()) for t in tags
    ]
    return json.dumps([head_first, listed_tags])


def _read(text: str) -> tuple[bool, list[TagSeen]]:
    head_first, listed_tags = json.loads(text)
    return head_first, [
        TagSeen(
            name,
            None if digest is None else Digest(digest),
            None if pushed_at is None else datetime.fromisoformat(pushed_at),
        )
        for name, digest, pushed_at in listed_tags
    ]
