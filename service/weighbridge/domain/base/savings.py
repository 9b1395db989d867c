"""What a slimmer variant of its base saves an image, and all that stand on that base.

The layers that an image adds to its base stay: what a variant saves is what the base
weighs more than the variant, both measured on manifests of the same platform.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from weighbridge.domain.base.names import name_in_from
from weighbridge.domain.base.variants import VariantKind, caution_of
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.domain.size.weighing import rfc3339


class FleetSaving(Struct, frozen=True):
    """What a variant would save if every image on the base stood on it.

    images:       distinct images on this build of the base, in `repositories`
    stored_bytes: in storage: each layer of the base that nothing else in its storage
                  scope refers to counts once a scope, less the layers of the variant
                  that are not there yet. Never below 0. None: not known
    """

    images: int
    repositories: int
    stored_bytes: int | None


class StoredVariant(Struct, frozen=True):
    """A slimmer variant of a base that was crawled.

    reference: its name as people write it in FROM
    seen_at:   when its tag was last seen to lead to it
    """

    kind: VariantKind
    reference: str
    compressed_bytes: int
    seen_at: datetime


class Saving(Struct, frozen=True):
    """One variant in place of the base.

    base:        its name in FROM; of several the one that the variant's goes with
    saved_bytes: of what a pull of the image moves: always above 0, never more than the
                 base has
    """

    base: str
    base_bytes: int
    variant: StoredVariant
    saved_bytes: int
    fleet: FleetSaving | None = None

    @property
    def patch(self) -> str:
        """See `patch_of`."""
        return patch_of(self.base, self.variant.reference)

    @property
    def caution(self) -> str:
        """What to check first."""
        return caution_of(self.variant.kind, self.base)


def patch_of(base: str, variant: str) -> str:
    """The change of the Dockerfile's line, as `diff -u` has one."""
    return f"-FROM {name_in_from(base)}\n+FROM {name_in_from(variant)}"


def saving_of(
    base: ImageBase, variant: StoredVariant, name: str | None = None
) -> Saving | None:
    """What an image on `base` saves; None where it saves nothing, or where it is not
    sure that the base is just this: of a relative nobody knows its FROM.

    name: of the base, that the variant's name goes with; else the one it is known by
    """
    if base.relation != "base" or base.compressed_bytes is None:
        return None
    saved = base.compressed_bytes - variant.compressed_bytes
    if saved <= 0:
        return None
    return Saving(name or base.reference, base.compressed_bytes, variant, saved)


class ScopedLayer(Struct, frozen=True):
    """A layer of a base or of a variant in one storage scope.

    users:   live manifests there that have it, each once a repository
    on_base: of them, the images on the base
    """

    blob: int
    stored_bytes: int
    users: int
    on_base: int


def stored_saving(base: Iterable[ScopedLayer], variant: Iterable[ScopedLayer]) -> int:
    """How many bytes less one scope would hold if all images on the base stood on the
    variant; below 0: how many more.

    A layer leaves if none but they have it, and the variant has it not; it counts once,
    however many have it. One of the variant comes if nobody has it yet.
    """
    old = {layer.blob: layer for layer in base}
    new = {layer.blob: layer for layer in variant}
    leaving = [y for y in old.values() if y.users <= y.on_base and y.blob not in new]
    coming = [y for y in new.values() if not y.users]
    return sum(y.stored_bytes for y in leaving) - sum(y.stored_bytes for y in coming)


def saving_json(saving: Saving) -> dict[str, object]:
    """As the API and `inspect -o json` give it; unknown is null."""
    fleet = saving.fleet
    return {
        "kind": saving.variant.kind,
        "base": saving.base,
        "base_compressed_bytes": saving.base_bytes,
        "variant": saving.variant.reference,
        "variant_compressed_bytes": saving.variant.compressed_bytes,
        "variant_seen_at": rfc3339(saving.variant.seen_at),
        "saved_bytes": saving.saved_bytes,
        "fleet": fleet
        and {
            "images": fleet.images,
            "repositories": fleet.repositories,
            "stored_bytes": fleet.stored_bytes,
        },
        "patch": saving.patch,
        "caution": saving.caution,
    }
