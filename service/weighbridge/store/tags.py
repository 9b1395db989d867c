"""Tags and where they point: the only way by which a tag changes.

Each `apply_` function is one batch of one repository, in the caller's transaction:
the fence first, then the tags and their history, then the counts of what is live.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select

from weighbridge.domain.digest import Digest
from weighbridge.errors import StoreError
from weighbridge.store.blobs import find_blobs
from weighbridge.store.claiming import Claim, hold
from weighbridge.store.dialect import Rows, among_texts, listed
from weighbridge.store.ledger.counts import add_counts
from weighbridge.store.ledger.liveness import shift
from weighbridge.store.ledger.referenced import referenced_delta
from weighbridge.store.models import blobs, tags
from weighbridge.store.over_tags import drop_over_tags
from weighbridge.store.tag_rows import (
    Failing,
    NewTag,
    Pointing,
    add_tags,
    confirm_tags,
    fail_tags,
    lose_tags,
    point_tags,
    read_tags,
)
from weighbridge.store.touching import touch
from weighbridge.store.unjudged import note_unjudged

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
        tags.c.gone_at.is_(None),
    )
)


@dataclass(frozen=True, slots=True)
class KnownTag:
    """What is stored of a live tag. `digest` None: it was never read.

    error_code, error_digest: of the last look at it, if that failed; the digest is
        what the tag pointed to then, where that could be learned
    pushed_at: of its digest, where a listing said so
    """

    digest: Digest | None
    error_code: str | None
    error_digest: Digest | None
    pushed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A tag points to this digest, whose facts are kept already."""

    name: str
    digest: Digest
    pushed_at: datetime | None


@dataclass(frozen=True, slots=True)
class TagFailure:
    """A tag is there but could not be read; `digest`: what it points to, if known."""

    name: str
    code: str
    message: str
    digest: Digest | None


@dataclass(frozen=True, slots=True)
class Changes:
    claim: Claim
    moves: Sequence[Move]
    failures: Sequence[TagFailure]
    now: datetime
    is_new: bool


@dataclass(frozen=True, slots=True)
class Counted:
    tags: int = 0


def apply_many(
    connection: Connection, all_changes: Sequence[Changes]
) -> list[Counted | StoreError]:
    found: list[Counted | StoreError] = []
    for each in all_changes:
        try:
            hold(connection, each.claim, each.now)
            apply_moves(connection, each.claim, each.moves, each.now)
            apply_failures(connection, each.claim, each.failures, each.now)
        except StoreError as exc:
            found.append(exc)
        else:
            found.append(Counted())
    return found


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
        tags.c.repository_id == repository_id, tags.c.gone_at.is_(None)
    )
    return set(connection.execute(statement).scalars())


def apply_moves(
    connection: Connection, claim: Claim, moves: Sequence[Move], now: datetime
) -> None:
    """Let tags point where they were found to point: new, moved, returned or same.
    Those that are new, moved or returned wait to be judged (see `unjudged`).

    A tag's error is cleared. A tag that points where it did is written only if that
    changes something. Raises StaleFence, StoreError(unknown_digest).
    """
    if not moves:
        return
    hold(connection, claim, now)
    wanted = {move.name: move for move in moves}
    targets = _targets(connection, wanted.values())
    known = read_tags(connection, claim.repository_id, wanted)
    new, pointings, confirmed = [], [], []
    for name, move in sorted(wanted.items()):
        tag, target = known.get(name), targets[move.digest]
        pushed_at = move.pushed_at
        if tag is None:
            new.append(NewTag(name, _first_move(claim, now), target, pushed_at))
        elif tag.live_target != target:
            # A tag that could not be read until now has not moved by being read.
            moved_at = tag.moved_at if tag.target is None else now
            pointings.append(Pointing(tag, target, moved_at, pushed_at))
        elif tag.error_code or pushed_at not in (None, tag.pushed_at):
            confirmed.append((tag, pushed_at or tag.pushed_at))
    added = add_tags(connection, claim.repository_id, new, now)
    point_tags(connection, pointings, now)
    confirm_tags(connection, confirmed)
    read = [p.tag.id for p in pointings if p.tag.target is None]
    moved = [p.tag.id for p in pointings if p.tag.target is not None]
    note_unjudged(connection, claim, [*added, *read], moved)
    entered = [tag.target for tag in new] + [p.target for p in pointings]
    left = [pointing.tag.live_target for pointing in pointings]
    returned = sum(pointing.tag.is_gone for pointing in pointings)
    if new or pointings or confirmed:
        _count(connection, claim, entered, left, len(new) + returned)


def apply_failures(
    connection: Connection, claim: Claim, failures: Sequence[TagFailure], now: datetime
) -> None:
    """Note tags that are there but could not be read; what was known of them stays.

    A failure that is noted already (same code, same digest) is not written again,
    so that `error_at` says since when. Raises StaleFence.
    """
    if not failures:
        return
    hold(connection, claim, now)
    wanted = {failure.name: failure for failure in failures}
    known = read_tags(connection, claim.repository_id, wanted)
    new, failing = [], []
    for name, failure in sorted(wanted.items()):
        code, message, digest = failure.code, failure.message, failure.digest
        tag = known.get(name)
        if tag is None:
            moved_at = _first_move(claim, now)
            new.append(
                NewTag(
                    name,
                    moved_at,
                    error_code=code,
                    error_message=message,
                    error_digest=digest,
                )
            )
        elif tag.is_gone or (tag.error_code, tag.error_digest) != (code, digest):
            # Of a tag that returns we do not know that it returned to its old target.
            moved_at = now if tag.is_gone else tag.moved_at
            failing.append(
                Failing(tag, tag.live_target, moved_at, code, message, digest)
            )
    add_tags(connection, claim.repository_id, new, now)
    fail_tags(connection, failing, now)
    returned = sum(failure.tag.is_gone for failure in failing)
    if new or failing:
        _count(connection, claim, [], [], len(new) + returned)


def apply_gone(
    connection: Connection, claim: Claim, names: Collection[str], now: datetime
) -> None:
    """Mark tags as gone; their history stays, they may return. Raises StaleFence."""
    if not names:
        return
    hold(connection, claim, now)
    known = read_tags(connection, claim.repository_id, sorted(set(names)))
    lost = [tag for tag in known.values() if not tag.is_gone]
    lose_tags(connection, lost, now)
    drop_over_tags(connection, claim.repository_id, [tag.id for tag in lost])
    if lost:
        _count(connection, claim, [], [tag.target for tag in lost], -len(lost))


def _targets(connection: Connection, moves: Iterable[Move]) -> dict[Digest, int]:
    digests = sorted({move.digest for move in moves})
    found = {d: blob.id for d, blob in find_blobs(connection, digests).items()}
    if unknown := [digest for digest in digests if digest not in found]:
        raise StoreError(
            f"{unknown[0]} is to be a tag's target and its facts were never kept",
            code="unknown_digest",
        )
    return found


def _first_move(claim: Claim, now: datetime) -> datetime | None:
    # What the first complete pass finds may have been there for years.
    return now if claim.pass_number > 0 or claim.is_push else None


def _count(
    connection: Connection,
    claim: Claim,
    entered: Iterable[int | None],
    left: Iterable[int | None],
    tag_delta: int,
) -> None:
    deltas = Counter(target for target in entered if target is not None)
    was_left = [target for target in left if target is not None]
    deltas.subtract(was_left)
    touch(connection, set(was_left))
    image_delta = shift(connection, claim.scope_id, claim.repository_id, deltas)
    add_counts(
        connection,
        claim.repository_id,
        tag_delta=tag_delta,
        image_delta=image_delta,
        referenced_delta=referenced_delta(connection, claim.repository_id, deltas),
    )
