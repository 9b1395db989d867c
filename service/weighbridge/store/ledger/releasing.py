"""What a repository would let go of, by its counts: nothing is written.

Which manifests leave is found by waves below what goes, so that a few tags of a large
repository cost no more than what they reach; blobs are read by pieces. Whose a blob is,
is looked up at the moment, not in what was settled.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar

from msgspec import Struct, field
from sqlalchemy import Connection, select

from weighbridge.domain.sharing import (
    NOT_LIVE,
    Counts,
    HeldBlob,
    LostBlobs,
    leaving,
)
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.ledger.holdings import contents_of, read_holdings, read_owners
from weighbridge.store.ledger.liveness import read_counts, read_facts
from weighbridge.store.ledger.scopes import LedgerPlace
from weighbridge.store.models import blobs

Item = TypeVar("Item")

_PIECE: Final = 2_000
_FOREIGN: Final = Rows(
    select(blobs.c.id).where(among_ids(blobs.c.id), blobs.c.is_foreign)
)


class ReachedManifests(Struct):
    """Manifests that targets lead to in one repository, the targets too.

    configs: of those whose documents are kept
    """

    counts: dict[int, Counts] = field(default_factory=dict)
    children: dict[int, set[int]] = field(default_factory=dict)
    configs: dict[int, int | None] = field(default_factory=dict)


def read_reach(
    connection: Connection, place: LedgerPlace, targets: Collection[int]
) -> ReachedManifests:
    reach = ReachedManifests()
    wave = set(targets)
    while wave:
        below: set[int] = set()
        for piece in pieces_of(sorted(wave)):
            counts = read_counts(connection, {place.repository_id: piece})
            reach.counts |= dict.fromkeys(piece, NOT_LIVE)
            reach.counts |= counts.get(place.repository_id, {})
            for manifest, facts in read_facts(connection, piece).items():
                if facts.has_facts:
                    reach.configs[manifest] = facts.config_id
                if facts.children:
                    reach.children[manifest] = facts.children
                    below |= facts.children
        wave = below - reach.counts.keys()
    return reach


def add_blobs(
    connection: Connection,
    reach: ReachedManifests,
    manifests: Iterable[int],
    sets: Sequence[tuple[LostBlobs, Mapping[int, int]]],
) -> None:
    """Add the blobs of manifests to each of these, for the set that each is of."""
    kept = (manifest for manifest in manifests if manifest in reach.configs)
    for piece in pieces_of(kept):
        configs = {manifest: reach.configs[manifest] for manifest in piece}
        for manifest, held in contents_of(connection, configs).items():
            for lost, owners in sets:
                if (of := owners.get(manifest)) is not None:
                    lost.add(of, held)


def lost_blobs(
    connection: Connection, place: LedgerPlace, lost: LostBlobs
) -> Iterator[tuple[int, int, int, bool]]:
    """The blobs that the repository ceases to hold: the set, the blob, its bytes, and
    whether nothing else in the scope holds it. A foreign one that the registry does not
    store is none."""
    for piece in pieces_of(sorted(lost.owner)):
        held = read_holdings(connection, {place: piece})[place]
        found = list(lost.among(held))
        foreign = foreign_among(connection, [blob for _, blob in found])
        ids = [blob.blob for _, blob in found]
        owners = read_owners(connection, place.scope_id, ids)
        for of, blob in found:
            if blob.blob not in foreign:
                is_freed = owners.get(blob.blob) == place.repository_id
                yield of, blob.blob, blob.stored_bytes, is_freed


def foreign_among(connection: Connection, held: Iterable[HeldBlob]) -> set[int]:
    """Those of the blobs that are foreign, and that the registry does not store."""
    empty = [blob.blob for blob in held if not blob.stored_bytes]
    if not empty:
        return set()
    return {number for (number,) in _FOREIGN.read(connection, {"ids": listed(empty)})}


def freed_blobs(
    connection: Connection,
    place: LedgerPlace,
    reach: ReachedManifests,
    untagged: Mapping[int, int],
) -> set[int]:
    """The blobs that nothing in the scope holds once so many tags of these targets are
    gone."""
    gone = leaving(reach.counts, reach.children, untagged)
    lost, of_all = LostBlobs(), dict.fromkeys(gone, place.repository_id)
    add_blobs(connection, reach, gone, [(lost, of_all)])
    found = lost_blobs(connection, place, lost)
    return {blob for _, blob, _, is_freed in found if is_freed}


def pieces_of(items: Iterable[Item]) -> Iterator[list[Item]]:
    waiting = iter(items)
    while piece := list(islice(waiting, _PIECE)):
        yield piece
