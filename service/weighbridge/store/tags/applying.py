"""Tags and where they point: the only way by which a tag changes.

A batch is what was found in any number of repositories, in the caller's transaction:
the fences first, then the tags and their history, then the counts of what is live.
All of it by a few statements for all repositories together. What the batch makes of the
tags that are stored is found without the database (`TagWrites`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, select

from weighbridge.domain.image.digest import Digest
from weighbridge.errors import StoreError
from weighbridge.store.dialect import Rows, among_texts, listed
from weighbridge.store.facts.blobs import find_blobs
from weighbridge.store.facts.images import touch
from weighbridge.store.leases.claiming import Claim, hold_many, stale
from weighbridge.store.ledger.counts import Growth, grow, lock_counts
from weighbridge.store.ledger.liveness import shift
from weighbridge.store.ledger.scopes import LedgerPlace
from weighbridge.store.models import blobs, tags
from weighbridge.store.tags.base_tags import LedTag, note_base_tags
from weighbridge.store.tags.judged_tags import drop_over_tags, note_unjudged
from weighbridge.store.tags.tag_rows import (
    Failing,
    NewTag,
    StoredTag,
    TagFailure,
    TagPointing,
    add_tags,
    confirm_tags,
    fail_tags,
    lose_tags,
    point_tags,
    read_tags,
    referenced_deltas,
    with_tags,
)


class Move(Struct, frozen=True):
    """A tag points to this digest, whose facts are kept already."""

    name: str
    digest: Digest
    pushed_at: datetime | None


class Changes(Struct, frozen=True):
    """What a crawl of a repository has found.

    is_new: nothing of it was ever kept, as far as whoever claimed it knows: what is
            stored of it need not be read
    deleted: names that are not there any more
    """

    claim: Claim
    moves: Sequence[Move]
    failures: Sequence[TagFailure]
    now: datetime
    is_new: bool = False
    deleted: Collection[str] = ()

    def names(self) -> list[str]:
        """All tags that it speaks of, sorted."""
        moved = (move.name for move in self.moves)
        failed = (failure.name for failure in self.failures)
        return sorted({*moved, *failed, *self.deleted})

    def apart(self) -> Iterator["Changes"]:
        """Itself; where it says several things of one tag, one after the other."""
        moved = {move.name for move in self.moves}
        failed = {failure.name for failure in self.failures}
        deleted = set(self.deleted)
        if len(moved | failed | deleted) == len(moved) + len(failed) + len(deleted):
            yield self
            return
        yield replace(self, failures=(), deleted=())
        yield replace(self, moves=(), deleted=())
        yield replace(self, moves=(), failures=())


class TagWrites(Struct):
    """What is to be written of the tags of one repository."""

    claim: Claim
    new: list[NewTag] = field(default_factory=list)
    pointings: list[TagPointing] = field(default_factory=list)
    confirmed: list[tuple[StoredTag, datetime | None]] = field(default_factory=list)
    failing: list[Failing] = field(default_factory=list)
    lost: list[tuple[StoredTag, datetime]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        changes: Changes,
        known: Mapping[str, StoredTag],
        targets: Mapping[Digest, int],
    ) -> "TagWrites":
        """What changes make of the tags that are known; targets: ids by digest."""
        found = cls(changes.claim)
        for name, move in sorted({move.name: move for move in changes.moves}.items()):
            found.move(known.get(name), move, targets[move.digest], changes.now)
        failures = {failure.name: failure for failure in changes.failures}
        for name, failure in sorted(failures.items()):
            found.fail(known.get(name), failure, changes.now)
        for name in sorted(set(changes.deleted)):
            tag = known.get(name)
            if tag is not None and not tag.is_deleted:
                found.lost.append((tag, changes.now))
        return found

    def move(
        self, tag: StoredTag | None, move: Move, target: int, now: datetime
    ) -> None:
        """A tag points to this target."""
        pushed_at = move.pushed_at
        if tag is None:
            moved_at = self._first_move(now)
            repository = self.claim.repository_id
            self.new.append(
                NewTag(repository, move.name, now, moved_at, target, pushed_at)
            )
        elif tag.live_target != target:
            # A tag that could not be read until now has not moved by being read.
            moved_at = tag.moved_at if tag.target is None else now
            self.pointings.append(TagPointing(tag, now, target, moved_at, pushed_at))
        elif tag.error_code or pushed_at not in (None, tag.pushed_at):
            self.confirmed.append((tag, pushed_at or tag.pushed_at))

    def fail(self, tag: StoredTag | None, failure: TagFailure, now: datetime) -> None:
        """A tag could not be read."""
        known = None if tag is None else (tag.error_code, tag.error_digest)
        if tag is None:
            repository, moved_at = self.claim.repository_id, self._first_move(now)
            self.new.append(
                NewTag(repository, failure.name, now, moved_at, failure=failure)
            )
        elif tag.is_deleted or known != (failure.code, failure.digest):
            # Of a tag that returns we do not know that it returned to its old target.
            moved_at = now if tag.is_deleted else tag.moved_at
            self.failing.append(Failing(tag, now, tag.live_target, moved_at, failure))

    def _first_move(self, now: datetime) -> datetime | None:
        # What the first complete crawl finds may have been there for years.
        return None if self._is_first else now

    @property
    def _is_first(self) -> bool:
        return self.claim.crawl_number == 0 and not self.claim.is_push

    @property
    def place(self) -> LedgerPlace:
        """Where its blobs count."""
        return LedgerPlace(self.claim.repository_id, self.claim.scope_id)

    @property
    def has_changes(self) -> bool:
        """Whether anything is to be written."""
        return bool(
            self.new or self.pointings or self.confirmed or self.failing or self.lost
        )

    def to_judge(self, ids: Mapping[tuple[int, str], int]) -> list[tuple[int, int]]:
        """The tags that moved and those that are read for the first time, by repository
        and id; ids: of the new ones.

        Not what is new before a repository's first complete crawl, unless somebody said
        that it was pushed: what was there before us is nobody's push.
        """
        found = [p.tag.id for p in self.pointings if p.tag.target is not None]
        if not self._is_first:
            found += [ids[tag.key] for tag in self.new if tag.target is not None]
            found += [p.tag.id for p in self.pointings if p.tag.target is None]
        return [(self.claim.repository_id, tag) for tag in found]

    def led_anew(self) -> list[LedTag]:
        """The tags that lead elsewhere than before, or nowhere."""
        repository = self.claim.repository_id
        found = [LedTag(repository, tag.name, tag.target) for tag in self.new]
        found += [LedTag(repository, p.tag.name, p.target) for p in self.pointings]
        gone = [LedTag(repository, tag.name, None) for tag, _ in self.lost]
        return [tag for tag in found if tag.target is not None] + gone

    def left(self) -> list[int]:
        """Targets that tags do not lead to any more; one for each tag."""
        before = [pointing.tag.live_target for pointing in self.pointings]
        before += [tag.target for tag, _ in self.lost]
        return [target for target in before if target is not None]

    def deltas(self) -> Counter[int]:
        """How many tags more (or fewer) lead to each target."""
        entered = [tag.target for tag in self.new if tag.target is not None]
        deltas = Counter([*entered, *(p.target for p in self.pointings)])
        deltas.subtract(self.left())
        return deltas

    def tag_delta(self) -> int:
        """How many live tags there are more (or fewer)."""
        returned = sum(p.tag.is_deleted for p in self.pointings)
        returned += sum(failing.tag.is_deleted for failing in self.failing)
        return len(self.new) + returned - len(self.lost)


KNOWN_TAGS: Final = (
    select(
        tags.c.name,
        blobs.c.digest,
        tags.c.error_code,
        tags.c.error_digest,
        tags.c.pushed_at,
    )
    .outerjoin_from(tags, blobs, blobs.c.id == tags.c.target_id)
    .where(tags.c.deleted_at.is_(None))
)
"""Names and `KnownTag` of live tags."""
_KNOWN: Final = Rows(
    KNOWN_TAGS.where(
        tags.c.repository_id == bindparam("repository"), among_texts(tags.c.name)
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
) -> list[Growth | StoreError]:
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
    digests = sorted({move.digest for each in batch for move in each.moves})
    targets = {d: blob.id for d, blob in find_blobs(connection, digests).items()}
    results = [_result(each, ours, targets) for each in batch]
    growths: dict[int, Growth] = {}
    deltas: dict[LedgerPlace, Counter[int]] = {}
    good = [
        each
        for each, result in zip(batch, results, strict=True)
        if isinstance(result, Growth)
    ]
    led = [
        tag
        for each in _rounds(good)
        for tag in _apply(connection, each, targets, growths, deltas)
    ]
    if led:
        note_base_tags(connection, led, max(each.now for each in good))
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


def _result(
    changes: Changes,
    ours: Collection[tuple[int, int]],
    targets: Mapping[Digest, int],
) -> Growth | StoreError:
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
) -> list[LedTag]:
    """One round, but for the counts of the read model, to which it adds. Returns the
    tags that lead elsewhere now."""
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
    note_unjudged(connection, (key for each in found for key in each.to_judge(ids)))
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
    return [tag for each in found for tag in each.led_anew()]


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
