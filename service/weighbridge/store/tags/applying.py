"""Tags and where they point: the only way by which a tag changes.

A batch is what was found in any number of repositories, in the caller's transaction:
the fences first, then the tags and their history, then the counts of what is live.
All of it by a few statements for all repositories together.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, select

from weighbridge.domain.image.digest import Digest
from weighbridge.errors import StoreError
from weighbridge.store.dialect import Rows, among_texts, listed
from weighbridge.store.facts.blobs import find_blobs
from weighbridge.store.facts.touching import touch
from weighbridge.store.leases.claiming import Claim, hold_many, stale
from weighbridge.store.ledger.counts import Growth, grow, lock_counts
from weighbridge.store.ledger.liveness import shift
from weighbridge.store.ledger.scope_parts import LedgerPlace
from weighbridge.store.models import blobs, tags
from weighbridge.store.tags.over_tags import drop_over_tags
from weighbridge.store.tags.referenced import referenced_deltas
from weighbridge.store.tags.tag_changes import Changes, Move, TagFailure, TagWrites
from weighbridge.store.tags.tag_rows import (
    add_tags,
    confirm_tags,
    fail_tags,
    lose_tags,
    point_tags,
    read_tags,
    with_tags,
)
from weighbridge.store.tags.unjudged import Noted, note_unjudged

__all__ = [
    "Changes",
    "Counted",
    "KnownTag",
    "Move",
    "TagFailure",
    "apply_deleted",
    "apply_failures",
    "apply_many",
    "apply_moves",
    "known_tags",
    "live_tags",
]

Counted: TypeAlias = Growth
"""By how much what is counted of a repository has grown."""

_KNOWN: Final = Rows(
    select(
        tags.c.name,
        blobs.c.digest,
        tags.c.error_code,
        tags.c.error_digest,
        tags.c.pushed_at,
    )
    .outerjoin_from(tags, blobs, blobs.c.id == tags.c.target_id)
    .where(
        tags.c.repository_id == bindparam("repository"),
        among_texts(tags.c.name),
        tags.c.deleted_at.is_(None),
    )
)


class KnownTag(Struct, frozen=True):
    """What is stored of a live tag. `digest` None: it was never read.

    error_code, error_digest: of the last attempt, if that failed; the digest is
        what the tag pointed to then, where that could be learned
    pushed_at: of its digest, where a listing said so
    """

    digest: Digest | None
    error_code: str | None
    error_digest: Digest | None
    pushed_at: datetime | None = None


def known_tags(
    connection: Connection, repository_id: int, names: Collection[str]
) -> dict[str, KnownTag]:
    """Those of the names that are live tags."""
    parameters = {"repository": repository_id, "names": listed(names)}
    found = _KNOWN.read(connection, parameters)
    return {name: KnownTag(*known) for name, *known in found}


def live_tags(connection: Connection, repository_id: int) -> set[str]:
    """The names of all tags that are not gone."""
    statement = select(tags.c.name).where(
        tags.c.repository_id == repository_id, tags.c.deleted_at.is_(None)
    )
    return set(connection.execute(statement).scalars())


def apply_many(
    connection: Connection, batch: Sequence[Changes]
) -> list[Counted | StoreError]:
    """Let tags point where they were found to point, note what could not be read and
    what is gone; in the order of the batch where a repository comes twice.

    Tags that are new, moved or returned wait to be judged (see `unjudged`). A tag's
    error is cleared by a move. A tag that points where it did is written only if that
    changes something. A failure that is noted already (same code, same digest) is not
    written again, so that `error_at` says since when. What is gone keeps its history,
    and may return.

    Returns what came of each: by how much its repository has grown, or StaleFence, or
    StoreError(unknown_digest) where a target's facts were never kept; of such a one
    nothing is written.
    """
    ours = hold_many(connection, ((each.claim, each.now) for each in batch))
    targets = _targets(connection, batch)
    results = [_result(each, ours, targets) for each in batch]
    growths: dict[int, Growth] = {}
    deltas: dict[LedgerPlace, Counter[int]] = {}
    good = [
        each
        for each, result in zip(batch, results, strict=True)
        if isinstance(result, Growth)
    ]
    for each in _rounds(good):
        _apply(connection, each, targets, growths, deltas)
    _count(connection, growths, deltas)
    return [
        growths.get(each.claim.repository_id, result)
        if isinstance(result, Growth)
        else result
        for each, result in zip(batch, results, strict=True)
    ]


def apply_moves(
    connection: Connection, claim: Claim, moves: Sequence[Move], now: datetime
) -> None:
    """A batch of the moves of one repository. Raises StaleFence,
    StoreError(unknown_digest)."""
    if moves:
        _apply_one(connection, Changes(claim, moves, (), now))


def apply_failures(
    connection: Connection, claim: Claim, failures: Sequence[TagFailure], now: datetime
) -> None:
    """A batch of the failures of one repository. Raises StaleFence."""
    if failures:
        _apply_one(connection, Changes(claim, (), failures, now))


def apply_deleted(
    connection: Connection, claim: Claim, names: Collection[str], now: datetime
) -> None:
    """A batch of the tags that are gone from one repository. Raises StaleFence."""
    if names:
        _apply_one(connection, Changes(claim, (), (), now, deleted=names))


def _apply_one(connection: Connection, changes: Changes) -> None:
    (result,) = apply_many(connection, [changes])
    if isinstance(result, StoreError):
        raise result


def _targets(connection: Connection, batch: Iterable[Changes]) -> dict[Digest, int]:
    digests = sorted({move.digest for each in batch for move in each.moves})
    return {digest: blob.id for digest, blob in find_blobs(connection, digests).items()}


def _result(
    changes: Changes,
    ours: Collection[tuple[int, int]],
    targets: Mapping[Digest, int],
) -> Counted | StoreError:
    claim = changes.claim
    if (claim.repository_id, claim.fence) not in ours:
        return stale(claim)
    for move in changes.moves:
        if move.digest not in targets:
            return StoreError(
                f"{move.digest} is to be a tag's target and its facts were never kept",
                code="unknown_digest",
            )
    return Growth()


def _rounds(batch: Iterable[Changes]) -> Iterator[list[Changes]]:
    """The batch in parts that are applied one after the other; in each of them a
    repository comes once, and each of its names in one place only."""
    rounds: list[list[Changes]] = []
    counts: Counter[int] = Counter()
    for each in batch:
        repository = each.claim.repository_id
        for part in each.apart():
            place = counts[repository]
            if place == len(rounds):
                rounds.append([])
            rounds[place].append(replace(part, is_new=False) if place else part)
            counts[repository] += 1
    return iter(rounds)


def _apply(
    connection: Connection,
    batch: Sequence[Changes],
    targets: Mapping[Digest, int],
    growths: dict[int, Growth],
    deltas: dict[LedgerPlace, Counter[int]],
) -> None:
    """One round, but for the counts of the read model, to which it adds."""
    fresh = _fresh(connection, batch)
    asked = {
        repository: names
        for each in batch
        if (repository := each.claim.repository_id) not in fresh
        and (names := each.names())
    }
    known = read_tags(connection, asked)
    found = [
        TagWrites.of(each, known.get(each.claim.repository_id, {}), targets)
        for each in batch
    ]
    ids = add_tags(connection, [tag for each in found for tag in each.new])
    point_tags(connection, [p for each in found for p in each.pointings])
    confirm_tags(connection, [pair for each in found for pair in each.confirmed])
    fail_tags(connection, [f for each in found for f in each.failing])
    lose_tags(connection, [pair for each in found for pair in each.lost])
    over = drop_over_tags(
        connection,
        {
            each.claim.repository_id: [tag.id for tag, _ in each.lost]
            for each in found
            if each.lost
        },
    )
    note_unjudged(connection, (Noted(*each.to_judge(ids)) for each in found))
    touch(connection, {target for each in found for target in each.left()})
    moved = {each.place: each.deltas() for each in found if each.has_changes}
    grown = shift(connection, moved, fresh)
    for each in found:
        if each.has_changes:
            repository = each.claim.repository_id
            growth = growths.setdefault(repository, Growth())
            growth.add(grown[each.place])
            growth.tags += each.tag_delta()
            growth.over_tags -= over.get(repository, 0)
            deltas.setdefault(each.place, Counter()).update(moved[each.place])


def _fresh(connection: Connection, batch: Iterable[Changes]) -> set[int]:
    """Repositories of which nothing was ever kept. Somebody may have handled pushed
    tags since that was true: so it is asked again, now that the rows are locked."""
    said = {each.claim.repository_id for each in batch if each.is_new}
    return said - with_tags(connection, said) if said else said


def _count(
    connection: Connection,
    growths: Mapping[int, Growth],
    deltas: Mapping[LedgerPlace, Mapping[int, int]],
) -> None:
    """Last, all rows of the read model at once and in order: the settler waits for
    them, and we for it."""
    if not growths:
        return
    stored = lock_counts(connection, growths)
    counted = {
        place: moved
        for place, moved in deltas.items()
        if stored[place.repository_id].is_counted
    }
    for place, more in referenced_deltas(connection, counted).items():
        growths[place.repository_id].referenced_bytes = more
    grow(connection, stored, growths)
