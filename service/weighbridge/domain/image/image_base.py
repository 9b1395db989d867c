"""The base of an image: what it stands on, how much of it that is, and who says so."""

from collections.abc import Iterable
from itertools import islice
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.image.digest import Digest

Relation: TypeAlias = Literal["base", "relative"]
"""`base`: the image was built on just this; `relative`: they have layers in common, and
what it was built on is not known: an older base below it, or another build of it."""
FoundBy: TypeAlias = Literal["annotation", "layers", "history"]
"""How it is known: `annotation` by what whoever pushed it says (image-spec,
annotations.md, `org.opencontainers.image.base.name` and `.digest`), `layers` by its
first layers, which are those of the base, `history` by its first lines, which are those
of the base with the same times."""

RELATIONS: Final[tuple[Relation, ...]] = ("base", "relative")
FOUND_BY: Final[tuple[FoundBy, ...]] = ("annotation", "layers", "history")


class BaseInWords(Struct, frozen=True):
    """What an image stands on, before it is weighed; see `ImageBase`.

    claimed_bytes: of the base, compressed, as its manifest says; None: not known
    """

    reference: str
    also: tuple[str, ...]
    layers: int | None
    relation: Relation
    found_by: FoundBy
    claimed_bytes: int | None = None

    def within(
        self, layers: Iterable[tuple[Digest, int]], compressed_bytes: int
    ) -> "ImageBase":
        """The same with what it is of an image.

        layers:           digests and compressed sizes of the image's layers, base first
        compressed_bytes: of the image
        """
        size = share = None
        if self.layers is not None:
            size = sum(dict(islice(layers, self.layers)).values())
            share = size / compressed_bytes if compressed_bytes else None
        return ImageBase(
            self.reference,
            self.also,
            self.layers,
            size,
            share,
            self.relation,
            self.found_by,
        )


class ImageBase(Struct, frozen=True):
    """What an image stands on.

    reference:  its name as people write it in FROM; without a host: Docker Hub's
    also:       other names of just the same layers, sorted
    layers:     how many of the image's layers, from the first, are the base's.
                None: not known, as nothing but the annotation says what the base is:
                the word of whoever pushed the image, and nobody else's
    compressed_bytes: of these layers, each distinct one once; None: not known
    share:      of the image's compressed bytes, from 0 to 1; None: not known
    """

    reference: str
    also: tuple[str, ...]
    layers: int | None
    compressed_bytes: int | None
    share: float | None
    relation: Relation
    found_by: FoundBy

    @property
    def is_confirmed(self) -> bool:
        """Whether layers or lines that we know ourselves show it."""
        return self.layers is not None

    def as_json(self) -> dict[str, object]:
        """As the API and `inspect -o json` say it; the share with four decimals."""
        return {
            "reference": self.reference,
            "also": list(self.also),
            "layers": self.layers,
            "compressed_bytes": self.compressed_bytes,
            "share": None if self.share is None else round(self.share, 4),
            "relation": self.relation,
            "found_by": self.found_by,
        }
