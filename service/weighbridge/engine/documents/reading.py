"""What a tag or digest led to."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct, field

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Artifact, Document, Image, Index, Layer

_ENTRY_BYTES: Final = 600
"""What a layer or a child takes in memory, its digest and media type included."""


class Reading(Struct, frozen=True):
    """What a tag or digest led to.

    digest:    computed from what was served
    documents: the new ones among all that is reachable; those that the store
               knows are left out
    missing:   children that could not be had, with the code that says why
    """

    digest: Digest
    documents: tuple[Document, ...] = ()
    missing: dict[Digest, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def kept_bytes(documents: Iterable[Document]) -> int:
    """What these documents take in memory, roughly and rather too much."""
    return sum(map(_kept_bytes, documents))


def layers_bytes(layers: Sequence[Layer]) -> int:
    """The same of a manifest's layers."""
    return _ENTRY_BYTES * len(layers)


def _kept_bytes(document: Document) -> int:
    match document:
        case Image():
            entries = len(document.layers) + len(document.diff_ids)
            texts = sum(200 + len(line.instruction) for line in document.lines)
            return _ENTRY_BYTES * (1 + entries) + texts
        case Index():
            return _ENTRY_BYTES * (1 + len(document.children))
        case Artifact():
            return _ENTRY_BYTES * (1 + len(document.blobs))
    return _ENTRY_BYTES
