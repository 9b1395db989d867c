"""Rows of `blobs`: one for each digest, with the first claim about its size."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, or_, select, update

from weighbridge.domain.digest import Digest, raw
from weighbridge.store.claims import BlobClaim, ClaimBook, FactsState, contradict
from weighbridge.store.dialect import NumberedRows, Rows, among_bytes, listed
from weighbridge.store.interned import media_type_ids
from weighbridge.store.ledger.facts import HAS_FACTS
from weighbridge.store.ledger.resizing import resize
from weighbridge.store.models import KEPT_STATES, blobs
from weighbridge.store.types import bounded

_FIND: Final = Rows(
    select(
        blobs.c.digest,
        blobs.c.id,
        blobs.c.compressed_bytes,
        blobs.c.is_foreign,
        blobs.c.facts_state,
        blobs.c.facts_code,
        or_(
            blobs.c.unmeasured_bytes.is_not(None),
            blobs.c.uncompressed_confidence.is_not(None),
        ).label("is_layer"),
    ).where(among_bytes(blobs.c.digest))
)
_NEW: Final = NumberedRows(
    blobs,
    "digest",
    "compressed_bytes",
    "media_type_id",
    "is_foreign",
    "has_conflict",
    "facts_state",
    "facts_code",
    "unmeasured_bytes",
    "annotated_uncompressed_bytes",
    "uncompressed_confidence",
    "uncompressed_reason",
    key="digest",
)
_FLAG: Final = (
    update(blobs)
    .where(blobs.c.id == bindparam("blob"), blobs.c.has_conflict.is_(False))
    .values(has_conflict=True)
)
_SET_STATE: Final = (
    update(blobs)
    # Who brings the facts is who counts them: two may try at once.
    .where(blobs.c.id == bindparam("blob"), ~HAS_FACTS)
    .values(facts_state=bindparam("state"), facts_code=bindparam("code"))
)
_SET_CLAIM: Final = (
    update(blobs)
    .where(blobs.c.id == bindparam("blob"), blobs.c.compressed_bytes.is_(None))
    .values(
        compressed_bytes=bindparam("claimed"),
        media_type_id=bindparam("type"),
    )
)
_SET_HERE: Final = (
    update(blobs)
    .where(blobs.c.id == bindparam("blob"), blobs.c.is_foreign.is_(True))
    .values(
        is_foreign=False,
        compressed_bytes=bindparam("claimed"),
        unmeasured_bytes=bindparam("claimed"),
        uncompressed_confidence=None,
        uncompressed_reason=None,
    )
)
_SET_LAYER: Final = (
    update(blobs)
    .where(blobs.c.id == bindparam("blob"), blobs.c.uncompressed_confidence.is_(None))
    .values(
        unmeasured_bytes=blobs.c.compressed_bytes,
        annotated_uncompressed_bytes=bindparam("annotated"),
    )
)


class StoredBlob(NamedTuple):
    """A row, as far as keeping facts needs it."""

    id: int
    compressed_bytes: int | None
    is_foreign: bool
    state: FactsState
    code: str | None
    is_layer: bool

    @property
    def has_facts(self) -> bool:
        """Whether its document has been kept."""
        return self.state in KEPT_STATES


def find_blobs(
    connection: Connection, digests: Iterable[Digest]
) -> dict[Digest, StoredBlob]:
    """The blobs that are there, by digest."""
    hashes = listed(map(raw, digests))
    if not hashes:
        return {}
    found = _FIND.read(connection, {"hashes": hashes})
    return {digest: StoredBlob(*row) for digest, *row in found}


def keep_blobs(
    connection: Connection, book: ClaimBook
) -> tuple[dict[Digest, StoredBlob], dict[Digest, StoredBlob]]:
    """Make rows for new digests; what is there stays as it was first claimed.

    Returns the rows that were there before, and all rows now, by digest. A claim
    that contradicts an earlier one is flagged and not taken.
    """
    claims = book.claims
    before = find_blobs(connection, claims)
    new = sorted(claims.keys() - before.keys(), key=raw)
    types = media_type_ids(connection, (c.media_type for c in claims.values()))
    made = _NEW.add(connection, [_row(claims[digest], types) for digest in new])
    if len(made) < len(new):  # Others have added some meanwhile, first.
        before |= find_blobs(connection, [d for d in new if d not in made])
    now = before | {d: _made(number, claims[d]) for d, number in made.items()}
    _flag_conflicts(connection, book, before, now)
    _complete(connection, claims, before, types)
    return before, now


def set_states(
    connection: Connection,
    claims: Iterable[BlobClaim],
    stored: Mapping[Digest, StoredBlob],
) -> list[int]:
    """Note what is now known of these as manifests; kept facts are never undone.

    Returns those whose facts came late: until now the row was there without them.
    """
    late = []
    for claim in sorted(claims, key=lambda claim: stored[claim.digest].id):
        blob = stored[claim.digest]
        if blob.has_facts or (blob.state, blob.code) == (claim.state, claim.code):
            continue
        row = {"blob": blob.id, "state": claim.state, "code": claim.code}
        changed = connection.execute(_SET_STATE, row).rowcount
        if changed and claim.state in KEPT_STATES:
            late.append(blob.id)
    return late


def _row(claim: BlobClaim, types: Mapping[str, int]) -> tuple[object, ...]:
    annotated = claim.annotated_uncompressed_bytes
    is_measurable = claim.is_layer and not claim.is_foreign
    return (
        claim.digest,
        claim.compressed_bytes,
        types[claim.media_type],
        claim.is_foreign,
        False,
        claim.state,
        claim.code,
        claim.compressed_bytes if is_measurable else None,
        None if annotated is None else bounded(annotated),
        # A foreign layer is somewhere else and its `urls` are never followed: nothing
        # will ever be known of it, so that this is final at once.
        "unknown" if claim.is_foreign else None,
        "foreign" if claim.is_foreign else None,
    )


def _made(number: int, claim: BlobClaim) -> StoredBlob:
    """The row that `_row` has become."""
    return StoredBlob(
        number,
        claim.compressed_bytes,
        claim.is_foreign,
        claim.state,
        claim.code,
        claim.is_foreign or (claim.is_layer and claim.compressed_bytes is not None),
    )


def _flag_conflicts(
    connection: Connection,
    book: ClaimBook,
    before: Mapping[Digest, StoredBlob],
    now: Mapping[Digest, StoredBlob],
) -> None:
    conflicting = {now[digest].id for digest in book.conflicts}
    for digest, blob in before.items():
        if contradict(book.claims[digest], blob):
            conflicting.add(blob.id)
    if conflicting:
        # Sorted, one by one: two batches must not wait for each other.
        connection.execute(_FLAG, [{"blob": blob} for blob in sorted(conflicting)])


def _complete(
    connection: Connection,
    claims: Mapping[Digest, BlobClaim],
    before: Mapping[Digest, StoredBlob],
    types: Mapping[str, int],
) -> None:
    """Fill what earlier documents left open: a blob known by its digest only, or
    one seen so far as a config or an artifact's content and now as a layer."""
    larger: Counter[int] = Counter()
    for digest, blob in sorted(before.items(), key=lambda item: item[1].id):
        claim = claims[digest]
        row = {
            "blob": blob.id,
            "claimed": claim.compressed_bytes,
            "type": types[claim.media_type],
        }
        if (
            blob.compressed_bytes is None
            and claim.compressed_bytes is not None
            and connection.execute(_SET_CLAIM, row).rowcount
            and not blob.is_foreign
        ):
            larger[blob.id] += claim.compressed_bytes
        # One manifest says that the blob is elsewhere, another that it is here: it
        # is here, or the registry will say so when it is measured.
        if (
            blob.is_foreign
            and claim.is_layer
            and not claim.is_foreign
            and connection.execute(_SET_HERE, row).rowcount
        ):
            larger[blob.id] += claim.compressed_bytes or 0
    resize(connection, larger)
    layered = [
        {"blob": blob.id, "annotated": claims[digest].annotated_uncompressed_bytes}
        for digest, blob in sorted(before.items(), key=lambda item: item[1].id)
        if claims[digest].is_layer and not blob.is_layer and not blob.is_foreign
    ]
    if layered:
        connection.execute(_SET_LAYER, layered)
