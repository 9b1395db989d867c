"""What the store answers about bases: how much of the fleet stands on each, whether
that is what its name leads to now, and which images are meant.

A base is told by its name as people write it in FROM. A build of it is one list of
layers that an image of this name has or had: one a platform and rebuild.
"""

from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.base.variants import is_slim
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.image_base import FoundBy
from weighbridge.domain.size.confidence import CompressedConfidence

BaseState: TypeAlias = Literal["current", "outdated", "deleted", "unknown"]
"""`current`: all images on it stand on what its name leads to now; `outdated`: some
stand on a build that the name led to before; `deleted`: the name leads to nothing any
more; `unknown`: its repository is not crawled, or not any more: nobody here knows where
it leads."""

BASE_STATES: Final[tuple[BaseState, ...]] = (
    "current",
    "outdated",
    "deleted",
    "unknown",
)


VariantState: TypeAlias = Literal["lighter", "smallest", "none", "unknown"]
"""What is known of slimmer variants of a base. `lighter`: one is; `smallest`: it is
slim by its own name, and none lighter is known; `none`: no slimmer one is known;
`unknown`: its own bytes or platform are not, so none can be compared with it."""


class BaseReport(Struct, frozen=True):
    """One base with what stands on it, over all registries.

    Only images that a repository leads to now count, and only those whose own layers or
    lines show that they are built on it: no relatives. None is unknown: of a base that
    is not crawled nobody here knows the layers, or where its name leads.

    platform, layers, compressed_bytes: of one build of it: the one that the name leads
                     to now for the first of the usual platforms that there is
    outdated_since:  since when the name leads elsewhere than to the oldest build that
                     an image still stands on
    images:          distinct images on it, of every platform
    outdated_images: of them, those on a build that the name does not lead to any more
    claimed_images:  further images, whose annotation alone says that they are on it:
                     the word of whoever pushed them, and in no other number
    repositories:    that have an image on it
    newest_repositories:   those of them whose newest image is one
    outdated_repositories: those of these whose newest image is on an older build: they
                     are to be rebuilt
    builds:          different lists of layers under this name that images stand on
    weighed_bytes:   compressed bytes of these images, each image once
    base_bytes:      of that, what is the base's, counted for each image
    own_bytes:       the rest: what the images have above the base
    stored_bytes:    what the base takes in storage: each build once a storage scope
    variant, variant_compressed_bytes: the one that saves most, and its bytes. None:
                     none is known to be lighter, see `variant_state`
    saved_per_image_bytes: what it weighs less than the build that is shown; where no
                     variant of that one is known, than the build that it is one of
    saving_images:   distinct images that would be lighter, of every platform, each on
                     the variant of its own build; without those that were found by
                     their lines. saving_repositories: that have one of them
    saved_stored_bytes: what storage would hold less if all of them moved: each layer
                     counts once a storage scope. None: not known, as not all that
                     their repositories have was seen, or layers are not kept any more
    saved_bytes:     what slimmer variants of it would save of one pull of each of the
                     newest images on it, each on the variant that saves most. None: no
                     lighter variant is known
    """

    reference: str
    state: BaseState
    outdated_since: datetime | None
    platform: str | None
    layers: int | None
    compressed_bytes: int | None
    images: int
    outdated_images: int | None
    claimed_images: int
    repositories: int
    newest_repositories: int
    outdated_repositories: int | None
    builds: int | None
    weighed_bytes: int
    base_bytes: int | None
    own_bytes: int | None
    stored_bytes: int | None
    saved_bytes: int | None
    variant: str | None
    variant_compressed_bytes: int | None
    saved_per_image_bytes: int | None
    saving_images: int | None
    saving_repositories: int | None
    saved_stored_bytes: int | None

    @property
    def variant_state(self) -> VariantState:
        """What is known of slimmer variants."""
        if self.variant is not None:
            return "lighter"
        if self.compressed_bytes is None or self.platform is None:
            return "unknown"
        return "smallest" if is_slim(self.reference) else "none"

    @property
    def share(self) -> float | None:
        """How much of the bytes on it is the base's, from 0 to 1."""
        if self.base_bytes is None or not self.weighed_bytes:
            return None
        return round(self.base_bytes / self.weighed_bytes, 4)


class BaseImageReport(Struct, frozen=True):
    """An image on a base, as one repository has it.

    tags:        that lead to it, straight or through an index, the first ten. None: not
                 looked for, as the repository has too many tags
    is_newest:   whether it is its repository's newest image
    base_state:  `outdated`: the base's name leads to another build now, on which the
                 image would stand if it were built anew from the same Dockerfile
    base_left_at: since when the name leads elsewhere; None: it leads to this build
    own_bytes:   of the compressed bytes, what is not the base's
    """

    registry: str
    repository: str
    tags: tuple[str, ...] | None
    digest: Digest
    platform: str
    is_newest: bool
    base_state: BaseState
    base_left_at: datetime | None
    compressed_bytes: int
    compressed_confidence: CompressedConfidence
    own_bytes: int
    found_by: FoundBy
