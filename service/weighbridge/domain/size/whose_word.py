"""Whose word a layer's compressed bytes are, in words.

A manifest claims, the registry knows. Where they differ a person sees both figures;
where the registry says nothing, why it does not.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from weighbridge.domain.image.digest import short
from weighbridge.domain.size.weighing import WeighedImage, WeighedLayer

_NAMED: Final = 10
"""Layers that are named: a stranger's image may have thousands."""
_REASONS: Final = {
    "foreign": "it is called foreign, and the registry does not hold it",
    "no_length": "the registry gave no length",
    "not_asked": "the registry has not been asked yet",
    "not_found": "the registry does not hold it",
}


def claim_words(reason: str) -> str:
    """Why the registry's word on a blob is not known: `Measured.claim_reason`."""
    plain = f"the registry could not be asked ({reason.replace('_', ' ')})"
    return _REASONS.get(reason, plain)


def doubts_of(images: Iterable[WeighedImage]) -> list[str]:
    """A sentence for each layer that is not as long as its manifest says, then for
    each that nobody but its manifest knows; ten of either kind by name."""
    layers = list(dict.fromkeys(y for image in images for y in image.layers))
    disputed = [y for y in layers if y.compressed_confidence == "disputed"]
    claimed = [y for y in layers if y.compressed_confidence == "claimed"]
    return [*_named(disputed), *_named(claimed)]


def _named(layers: list[WeighedLayer]) -> Iterator[str]:
    for layer in layers[:_NAMED]:
        claim = f"layer {short(layer.digest)}: the manifest says"
        claim += f" {_bytes(layer.claimed_bytes)}"
        if layer.compressed_confidence == "disputed":
            known = _bytes(layer.compressed_bytes)
            yield f"{claim}, the registry says {known}; the registry's figure is used"
        else:
            yield f"{claim}, not confirmed: {claim_words(layer.claim_reason)}"
    if more := len(layers[_NAMED:]):
        yield f"the same is true of {more:,} more of its layers"


def _bytes(count: int) -> str:
    return f"{count:,} byte{'' if count == 1 else 's'}"
