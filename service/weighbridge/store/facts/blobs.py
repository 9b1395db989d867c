"""Rows of `blobs`: one for each digest, with the first claim about its size."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, Update, bindparam, select, update

from weighbridge.domain.image.digest import Digest, raw
from weighbridge.domain.image.document import Descriptor
from weighbridge.store.dialect import NumberedRows, Rows, among_bytes, listed
from weighbridge.store.facts.blob_claims import (
    BlobClaim,
    ClaimBook,
    FactsState,
    contradict,
    differ_in_format,
)
from weighbridge.store.facts.interned import media_type_ids, media_types_of
from weighbridge.store.ledger.blob_expressions import HAS_FACTS
from weighbridge.store.ledger.resizing import claims_changed
from weighbridge.store.models import KEPT_STATES, blobs

_FIND: Final = Rows(
    select(
        blobs.c.digest,
        blobs.c.id,
        blobs.c.compressed_bytes,
        blobs.c.read_bytes.is_not(None).label("is_read"),
        blobs.c.is_layer,
        blobs.c.is_foreign,
        blobs.c.has_conflict,
        blobs.c.facts_state,
        blobs.c.facts_code,
        blobs.c.media_type_id,
        blobs.c.has_format_conflict,
    ).where(among_bytes(blobs.c.digest))
)
_NEW: Final = NumberedRows(
    blobs,
    "digest",
    "compressed_bytes",
    "read_bytes",
    "counted_bytes",
    "is_known",
    "media_type_id",
    "is_layer",
    "is_foreign",
    "has_conflict",
    "has_format_conflict",
    "is_uncounted",
    "facts_state",
    "facts_code",
    key="digest",
)
_FLAG: Final = (
    update(blobs)
    .where(blobs.c.id == bindparam("blob"), blobs.c.has_conflict.is_(False))
    .values(has_conflict=True)
)
_FLAG_FORMAT: Final = (
    update(blobs)
    .where(blobs.c.id == bindparam("blob"), blobs.c.has_format_conflict.is_(False))
    .values(has_format_conflict=True)
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
_SET_READ: Final = (
    update(blobs)
    .where(blobs.c.id == bindparam("blob"), blobs.c.read_bytes.is_(None))
    .values(read_bytes=bindparam("claimed"), media_type_id=bindparam("type"))
)
# One manifest says that the blob is elsewhere, another that it is here: it is here, or
# the registry will say so when it is asked.
_SET_HERE: Final = (
    update(blobs)
    .where(blobs.c.id == bindparam("blob"), blobs.c.is_foreign.is_(True))
    .values(is_foreign=False)
)
_SET_LAYER: Final = (
    update(blobs)
    .where(blobs.c.id == bindparam("blob"), blobs.c.is_layer.is_(False))
    .values(is_layer=True)
)
_UNCOUNTED: Final = (_SET_LAYER, _FLAG_FORMAT)
"""Changes that totals do not depend on."""


class StoredBlob(NamedTuple):
    """A row, as far as keeping facts needs it.

    media_type_id: None where it is not sure what another batch makes of it
    """

    id: int
    compressed_bytes: int | None
    is_read: bool
    is_layer: bool
    is_foreign: bool
    has_conflict: bool
    state: FactsState
    code: str | None
    media_type_id: int | None
    has_format_conflict: bool

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
    connection: Connection, book: ClaimBook, types: Mapping[str, int]
) -> tuple[dict[Digest, StoredBlob], dict[Digest, StoredBlob]]:
    """Make rows for new digests; what is there stays as it was first claimed.

    types: the ids of the book's media types

    Returns the rows that were there before, and all rows now, by digest. A claim
    that contradicts an earlier one is flagged and not taken.
    """
    claims = book.claims
    before = find_blobs(connection, claims)
    new = sorted(claims.keys() - before.keys(), key=raw)
    made = _NEW.add(connection, [_row(claims[digest], types) for digest in new])
    if len(made) < len(new):  # Others have added some meanwhile, first.
        before |= find_blobs(connection, [d for d in new if d not in made])
    rows = {d: _made(number, claims[d], types) for d, number in made.items()}
    now = before | rows
    _complete(connection, book, before, now, types)
    return before, now | _retyped(before, claims)


def note_read(connection: Connection, configs: Iterable[Descriptor]) -> None:
    """Note that these, which are there, were read whole after all: how long they are
    needs no word of the registry's any more. Their rows must be locked."""
    wanted = {config.digest: config for config in configs}
    types = media_type_ids(connection, (c.media_type for c in wanted.values()))
    found = find_blobs(connection, wanted)
    late = {d: blob for d, blob in found.items() if not blob.is_read}
    for digest, blob in sorted(late.items(), key=lambda item: item[1].id):
        sizes = {
            "blob": blob.id,
            "claimed": wanted[digest].content_bytes,
            "type": types[wanted[digest].media_type],
        }
        connection.execute(_SET_READ, sizes)
    claims_changed(connection, [blob.id for blob in late.values()])


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
    is_elsewhere = claim.is_foreign and not claim.is_read
    return (
        claim.digest,
        claim.compressed_bytes,
        claim.compressed_bytes if claim.is_read else None,
        0 if is_elsewhere else claim.compressed_bytes or 0,
        claim.is_read,
        types[claim.media_type],
        claim.is_layer,
        claim.is_foreign,
        False,
        False,
        False,
        claim.state,
        claim.code,
    )


def _made(number: int, claim: BlobClaim, types: Mapping[str, int]) -> StoredBlob:
    """The row that `_row` has become."""
    return StoredBlob(
        number,
        claim.compressed_bytes,
        claim.is_read,
        claim.is_layer,
        claim.is_foreign,
        False,
        claim.state,
        claim.code,
        types[claim.media_type],
        False,
    )


def _retyped(
    before: Mapping[Digest, StoredBlob], claims: Mapping[Digest, BlobClaim]
) -> dict[Digest, StoredBlob]:
    """Those of the earlier rows whose media type may be another one by now."""
    return {
        digest: blob._replace(media_type_id=None)
        for digest, blob in before.items()
        if blob.compressed_bytes is None
        or (claims[digest].is_read and not blob.is_read)
    }


def _complete(
    connection: Connection,
    book: ClaimBook,
    before: Mapping[Digest, StoredBlob],
    now: Mapping[Digest, StoredBlob],
    types: Mapping[str, int],
) -> None:
    """Note claims that contradict one another, and fill what earlier documents left
    open: a blob known by its digest only, or claimed and now read whole, or said to be
    elsewhere and now to be here, or seen as a config and now as a layer."""
    conflicts = {now[digest].id for digest in book.conflicts}
    changes: list[tuple[Update, dict[str, int | None]]] = []
    for digest, blob in sorted(before.items(), key=lambda item: item[1].id):
        claim = book.claims[digest]
        row: dict[str, int | None] = {"blob": blob.id}
        sizes = {**row, "claimed": claim.compressed_bytes}
        sizes["type"] = types[claim.media_type]
        if contradict(claim, blob):
            conflicts.add(blob.id)
        if blob.compressed_bytes is None and claim.compressed_bytes is not None:
            changes.append((_SET_CLAIM, sizes))
        if claim.is_read and not blob.is_read:
            changes.append((_SET_READ, sizes))
        if blob.is_foreign and claim.is_layer and not claim.is_foreign:
            changes.append((_SET_HERE, row))
        if claim.is_layer and not blob.is_layer:
            changes.append((_SET_LAYER, row))
    known = {blob.id for blob in before.values() if blob.has_conflict}
    changes += [(_FLAG, {"blob": blob}) for blob in conflicts - known]
    formats = _format_conflicts(connection, book, before, now, types)
    changes += [(_FLAG_FORMAT, {"blob": blob}) for blob in formats]
    changed: set[int] = set()
    # Sorted, one by one: two batches must not wait for each other.
    for statement, row in sorted(changes, key=lambda change: change[1]["blob"] or 0):
        is_changed = connection.execute(statement, row).rowcount
        if is_changed and statement not in _UNCOUNTED:
            changed.add(row["blob"] or 0)
    claims_changed(connection, changed)


def _format_conflicts(
    connection: Connection,
    book: ClaimBook,
    before: Mapping[Digest, StoredBlob],
    now: Mapping[Digest, StoredBlob],
    types: Mapping[str, int],
) -> set[int]:
    """Blobs about whose format documents disagree, as far as that is new."""
    others = {
        digest: blob.media_type_id
        for digest, blob in before.items()
        if blob.media_type_id not in (None, types[book.claims[digest].media_type])
    }
    texts = media_types_of(connection, others.values()) if others else {}
    found = book.formats | {
        digest
        for digest, kind in others.items()
        if differ_in_format(texts.get(kind, ""), book.claims[digest].media_type)
    }
    return {now[d].id for d in found if not now[d].has_format_conflict}
