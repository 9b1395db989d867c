"""What a batch of documents says of blobs, put together before anything is stored."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, Protocol, TypeAlias

from msgspec import Struct, field

from weighbridge.domain.image.digest import Digest
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

FactsState: TypeAlias = Literal[
    "none", "missing", "image", "index", "artifact", "unweighable"
]


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


class Sized(Protocol):
    """A claim or a stored row: what can contradict another."""

    @property
    def compressed_bytes(self) -> int | None: ...


def contradict(one: Sized, other: Sized) -> bool:
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
    digest, media_type = document.digest, document.media_type
    match document:
        case Image():
            length = document.manifest.manifest_bytes
            return BlobClaim(digest, length, media_type, True, state="image")
        case Index():
            length = document.manifest_bytes
            return BlobClaim(digest, length, media_type, True, state="index")
        case Artifact():
            length = document.manifest_bytes
            return BlobClaim(digest, length, media_type, True, state="artifact")
        case Unweighable():
            length, reason = document.manifest_bytes, document.reason
            return BlobClaim(
                digest, length, media_type, True, state="unweighable", code=reason
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
                yield _descriptor_claim(document.config)
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
