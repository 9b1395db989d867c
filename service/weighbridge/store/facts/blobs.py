"""Rows of `blobs`: one for each digest, with the first claim about its size. What a
batch of documents claims is put together before anything is stored.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct, field
from sqlalchemy import Column, Connection, Update, bindparam, select, update

from weighbridge.domain.image.digest import Digest, raw
from weighbridge.domain.image.document import (
    Artifact,
    Descriptor,
    Document,
    Image,
    Index,
    Layer,
    Unweighable,
)
from weighbridge.domain.size.blob_format import claimed_format
from weighbridge.store.dialect import NumberedRows, Rows, among_bytes, listed
from weighbridge.store.facts.interned import media_type_ids, media_types_of
from weighbridge.store.ledger.expressions import HAS_FACTS
from weighbridge.store.ledger.resizing import claims_changed
from weighbridge.store.models import KEPT_STATES, blobs

FactsState: TypeAlias = Literal[
    "none", "missing", "image", "index", "artifact", "unweighable"
]


_STATES: Final[Mapping[type[Document], FactsState]] = {
    Image: "image",
    Index: "index",
    Artifact: "artifact",
    Unweighable: "unweighable",
}


class BlobClaim(NamedTuple):
    """What a document says of a blob.

    compressed_bytes: None where only the digest is known
    is_read:          what we read whole and hashed: the size is its own length
    is_layer:         of an image, so that it is to be measured
    state, code:      what is known of it as a manifest, see `models.FACTS_STATES`
    """

    digest: Digest
    compressed_bytes: int | None
    media_type: str
    is_read: bool = False
    is_layer: bool = False
    is_foreign: bool = False
    state: FactsState = "none"
    code: str | None = None


def contradict(one: "BlobClaim | StoredBlob", other: "BlobClaim | StoredBlob") -> bool:
    """Whether both cannot be true of one digest; no claim contradicts nothing."""
    if one.compressed_bytes is None or other.compressed_bytes is None:
        return False
    return one.compressed_bytes != other.compressed_bytes


def differ_in_format(one: str, other: str) -> bool:
    """Whether two media types claim different formats of one blob."""
    return one != other and claimed_format(one) != claimed_format(other)


class ClaimBook(Struct):
    """The first claim about each digest, and the digests with a contradicting one.

    formats:     digests whose claims disagree about the blob's format
    media_types: of all claims
    """

    claims: dict[Digest, BlobClaim] = field(default_factory=dict)
    conflicts: set[Digest] = field(default_factory=set)
    formats: set[Digest] = field(default_factory=set)
    media_types: set[str] = field(default_factory=set)

    def add(self, claim: BlobClaim) -> None:
        """Keep a claim, unless an earlier one says as much about its digest."""
        self.media_types.add(claim.media_type)
        first = self.claims.setdefault(claim.digest, claim)
        if first is claim:
            return
        if contradict(first, claim):
            self.conflicts.add(claim.digest)
        if differ_in_format(first.media_type, claim.media_type):
            self.formats.add(claim.digest)
        if claim.is_read and not first.is_read:
            # Whoever says more of a blob than its length says it still.
            first = first._replace(
                compressed_bytes=claim.compressed_bytes, is_read=True
            )
        if claim.is_layer and not first.is_layer:
            first = first._replace(is_layer=True)
        if first.is_foreign and not claim.is_foreign:
            # It is here, or the registry will say so when it is asked.
            first = first._replace(is_foreign=False)
        self.claims[claim.digest] = first


def claims_of(
    documents: Iterable[Document], missing: Mapping[Digest, str]
) -> ClaimBook:
    """Every claim in the documents; their own lengths first, which we counted
    ourselves, then what they say of others."""
    documents = list(documents)
    book = ClaimBook()
    for document in documents:
        book.add(_own_claim(document))
    for document in documents:
        for claim in _claims_about_others(document, missing):
            book.add(claim)
    for digest, code in missing.items():
        book.add(BlobClaim(digest, None, "", state="missing", code=code))
    return book


def _own_claim(document: Document) -> BlobClaim:
    told = document.manifest if isinstance(document, Image) else document
    return BlobClaim(
        document.digest,
        told.manifest_bytes,
        document.media_type,
        is_read=True,
        state=_STATES[type(document)],
        code=document.reason if isinstance(document, Unweighable) else None,
    )


def _claims_about_others(
    document: Document, missing: Mapping[Digest, str]
) -> Iterable[BlobClaim]:
    match document:
        case Image():
            # Without a problem the config was read, and is as long as is said here.
            config = _descriptor_claim(document.manifest.config)
            yield config._replace(is_read=not document.problems)
            yield from (_layer_claim(layer, True) for layer in document.layers)
        case Index():
            for child in document.children:
                yield _child_claim(child.descriptor, missing)
        case Artifact():
            if document.config is not None:
                config = _descriptor_claim(document.config)
                yield config._replace(is_read=document.is_config_read)
            yield from (_layer_claim(blob, False) for blob in document.blobs)
        case Unweighable():
            return


def _descriptor_claim(descriptor: Descriptor) -> BlobClaim:
    return BlobClaim(descriptor.digest, descriptor.content_bytes, descriptor.media_type)


def _child_claim(descriptor: Descriptor, missing: Mapping[Digest, str]) -> BlobClaim:
    claim = _descriptor_claim(descriptor)
    code = missing.get(descriptor.digest)
    return claim if code is None else claim._replace(state="missing", code=code)


def _layer_claim(layer: Layer, is_layer: bool) -> BlobClaim:
    return BlobClaim(
        layer.digest,
        layer.compressed_bytes,
        layer.media_type,
        is_layer=is_layer,
        is_foreign=layer.is_foreign,
    )


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


def _turn(column: Column[bool], value: bool) -> Update:
    """Changes a mark of a blob where it is not so yet."""
    return (
        update(blobs)
        .where(blobs.c.id == bindparam("blob"), column.is_(not value))
        .values({column: value})
    )


_FLAG: Final = _turn(blobs.c.has_conflict, True)
_FLAG_FORMAT: Final = _turn(blobs.c.has_format_conflict, True)
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
_SET_HERE: Final = _turn(blobs.c.is_foreign, False)
_SET_LAYER: Final = _turn(blobs.c.is_layer, True)
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
