"""How storage is shared: who holds a blob, and what that changes in the totals.

Counting goes in two steps. Inside a repository by deltas: a manifest enters or
leaves, so its blobs are held by one manifest more or less. Between repositories by
state: a blob is in nobody's hands, in those of one repository, or of several, and
only a change between these three moves bytes. So nothing counts holders, and no
total has to know how many there are.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct, field

Owner: TypeAlias = int
"""In whose hands a blob is: NOBODY, SEVERAL, or the id of its only repository."""
NOBODY: Final[Owner] = -1
SEVERAL: Final[Owner] = 0


def blob_deltas(
    flips: Mapping[int, int], contents: Mapping[int, Collection[int]]
) -> dict[int, int]:
    """By how many manifests more (or fewer) each blob is held.

    flips:    +1 for a manifest that enters, -1 for one that leaves
    contents: the distinct blobs of each
    """
    deltas: Counter[int] = Counter()
    for manifest, flip in flips.items():
        for blob in contents[manifest]:
            deltas[blob] += flip
    return {blob: delta for blob, delta in deltas.items() if delta}


class HeldBlob(NamedTuple):
    """A blob, its stored bytes, and how many manifests of a repository hold it."""

    blob: int
    stored_bytes: int
    manifests: int


class HoldingChange(Struct, frozen=True):
    """What a repository's rows become: (blob, manifests) added and changed, blobs
    removed, and by how many bytes its distinct blobs are more."""

    added: list[tuple[int, int]] = field(default_factory=list)
    changed: list[tuple[int, int]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    bytes_delta: int = 0

    @property
    def moved(self) -> list[int]:
        """Blobs that the repository began or ceased to hold, sorted."""
        return sorted([blob for blob, _ in self.added] + self.removed)


def change_holdings(
    held: Iterable[HeldBlob], deltas: Mapping[int, int]
) -> HoldingChange:
    """Apply deltas to what a repository holds of these blobs.

    A count never falls below none: where a total was damaged, the next batch goes on
    and `db verify` tells.
    """
    added: list[tuple[int, int]] = []
    changed: list[tuple[int, int]] = []
    removed: list[int] = []
    moved_bytes = 0
    for blob, stored_bytes, before in held:
        now = max(before + deltas[blob], 0)
        if before == now:
            continue
        if before == 0:
            added.append((blob, now))
            moved_bytes += stored_bytes
        elif now == 0:
            removed.append(blob)
            moved_bytes -= stored_bytes
        else:
            changed.append((blob, now))
    return HoldingChange(added, changed, removed, moved_bytes)


def owner_of(lowest: int | None, highest: int | None) -> Owner:
    """The state that the first and the last holder's id say; None: no holder."""
    if lowest is None:
        return NOBODY
    return lowest if lowest == highest else SEVERAL


def joined_owner(one: Owner, other: Owner) -> Owner:
    """In whose hands a blob is that two parts of a storage scope may hold."""
    if NOBODY in (one, other):
        return max(one, other)
    return SEVERAL


class OwnershipChange(NamedTuple):
    """A blob with whose it was and is; `weighed_bytes`: of an image, else None."""

    blob: int
    was: Owner
    now: Owner
    stored_bytes: int
    weighed_bytes: int | None


class Settlement(Struct):
    """What blobs that changed hands change in a storage scope.

    entered, changed: blobs with whose they are now; left: nobody holds them any more
    exclusive_bytes:  by repository, how much more (or less) only it holds
    """

    entered: list[tuple[int, Owner]] = field(default_factory=list)
    changed: list[tuple[int, Owner]] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    exclusive_bytes: Counter[int] = field(default_factory=Counter)
    deduplicated_bytes: int = 0
    shared_bytes: int = 0
    images: int = 0
    weighed_bytes: int = 0

    def _put(self, owner: Owner, stored_bytes: int) -> None:
        if owner == SEVERAL:
            self.shared_bytes += stored_bytes
        elif owner != NOBODY:
            self.exclusive_bytes[owner] += stored_bytes

    def resize(self, owner: Owner, more_bytes: int) -> None:
        """A blob stays where it is and becomes larger."""
        self._put(owner, more_bytes)
        self.deduplicated_bytes += more_bytes

    def add(self, change: OwnershipChange) -> None:
        """Take a blob out of its old place and put it into the new one."""
        blob, was, now, stored_bytes, weighed_bytes = change
        if was == now:
            return
        self._put(was, -stored_bytes)
        self._put(now, stored_bytes)
        if was != NOBODY and now != NOBODY:
            self.changed.append((blob, now))
            return
        sign = 1 if was == NOBODY else -1
        self.deduplicated_bytes += sign * stored_bytes
        if weighed_bytes is not None:
            self.images += sign
            self.weighed_bytes += sign * weighed_bytes
        if was == NOBODY:
            self.entered.append((blob, now))
        else:
            self.left.append(blob)


def settle(changes: Iterable[OwnershipChange]) -> Settlement:
    """State against state: it may run late, twice, or in any order."""
    settlement = Settlement()
    for change in changes:
        settlement.add(change)
    return settlement


def moved_total(total: int, delta: int, largest: int) -> int | None:
    """A stored total after a change, or None where only counting anew can tell.

    A total that outgrows its column stays at `largest`, which then means "at least
    so much": what is left of it after something went is not known from it.
    """
    if delta >= 0:
        return min(total + delta, largest)
    if total >= largest or total + delta < 0:
        return None
    return total + delta


Counts: TypeAlias = tuple[int, int]
"""How many tags name a manifest, how many live indexes list it (each once)."""
NOT_LIVE: Final[Counts] = (0, 0)


def leaving(
    counts: Mapping[int, Counts],
    children: Mapping[int, Collection[int]],
    untagged: Mapping[int, int],
) -> list[int]:
    """The manifests of a repository that nothing leads to any more once some tags are
    gone: what only they reach, through indexes too. What tags name comes first, an
    index before its children.

    counts:   of every manifest that the tags reach
    children: of its indexes, each child once
    untagged: how many of the tags name a manifest
    """

    def is_left(manifest: int) -> bool:
        return sum(counts.get(manifest, NOT_LIVE)) == left[manifest]

    left: Counter[int] = Counter(untagged)
    waiting = deque(filter(is_left, untagged))
    gone: list[int] = []
    while waiting:
        manifest = waiting.popleft()
        gone.append(manifest)
        for child in children.get(manifest, ()):
            left[child] += 1
            if is_left(child):
                waiting.append(child)
    return gone


class LostBlobs(Struct):
    """Which blobs a repository ceases to hold when one of several sets of manifests
    leaves it. No manifest is in two of the sets.

    owner:     the only set whose manifests hold a blob, SEVERAL where there are others
    manifests: how many manifests of the sets hold it
    """

    owner: dict[int, int] = field(default_factory=dict)
    manifests: Counter[int] = field(default_factory=Counter)

    def add(self, of: int, blobs: Iterable[int]) -> None:
        """The distinct blobs of one manifest of a set. of: the set, above 0"""
        for blob in blobs:
            if self.owner.setdefault(blob, of) != of:
                self.owner[blob] = SEVERAL
            self.manifests[blob] += 1

    def among(self, held: Iterable[HeldBlob]) -> Iterator[tuple[int, HeldBlob]]:
        """Those that no manifest outside the set holds, each with its set."""
        for each in held:
            of = self.owner.get(each.blob, SEVERAL)
            if of != SEVERAL and self.manifests[each.blob] == each.manifests:
                yield of, each
