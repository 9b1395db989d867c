"""What was found in one repository, and what that makes of its tags: no database."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain.image.digest import Digest
from weighbridge.store.leases.claiming import Claim
from weighbridge.store.ledger.scope_parts import LedgerPlace
from weighbridge.store.tags.tag_rows import Failing, NewTag, StoredTag, TagPointing


class Move(Struct, frozen=True):
    """A tag points to this digest, whose facts are kept already."""

    name: str
    digest: Digest
    pushed_at: datetime | None


class TagFailure(Struct, frozen=True):
    """A tag is there but could not be read; `digest`: what it points to, if known."""

    name: str
    code: str
    message: str
    digest: Digest | None


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
        code, message, digest = failure.code, failure.message, failure.digest
        if tag is None:
            self.new.append(
                NewTag(
                    self.claim.repository_id,
                    failure.name,
                    now,
                    self._first_move(now),
                    error_code=code,
                    error_message=message,
                    error_digest=digest,
                )
            )
        elif tag.is_deleted or (tag.error_code, tag.error_digest) != (code, digest):
            # Of a tag that returns we do not know that it returned to its old target.
            moved_at = now if tag.is_deleted else tag.moved_at
            target = tag.live_target
            self.failing.append(
                Failing(tag, now, target, moved_at, code, message, digest)
            )

    def _first_move(self, now: datetime) -> datetime | None:
        # What the first complete crawl finds may have been there for years.
        return now if self.claim.crawl_number > 0 or self.claim.is_push else None

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

    def to_judge(
        self, ids: Mapping[tuple[int, str], int]
    ) -> tuple[Claim, list[int], list[int]]:
        """The ids of tags that are read for the first time, and of those that moved;
        ids: of the new ones."""
        new = [ids[tag.key] for tag in self.new if tag.target is not None]
        new += [p.tag.id for p in self.pointings if p.tag.target is None]
        moved = [p.tag.id for p in self.pointings if p.tag.target is not None]
        return self.claim, new, moved

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
