"""What limits count: the unit of each, the quantity of which an image's lines have
parts, and both in words."""

from collections.abc import Container, Mapping
from typing import Final, Literal, TypeAlias

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import BASE_KEYS, LimitKey
from weighbridge.domain.size.weighing import WeighedImage, WeighedLine
from weighbridge.domain.text.units import format_bytes

Unit: TypeAlias = Literal["bytes", "layers", "bases", "seconds"]
BASE_LIMITS: Final[frozenset[LimitKey]] = frozenset(BASE_KEYS)
"""No line has a part of them."""
_DAY_S: Final = 24 * 3600


def unit_of(key: LimitKey) -> Unit:
    """What a limit is counted in."""
    match key:
        case "max_layers":
            return "layers"
        case "allowed_bases":
            return "bases"
        case "max_base_age" | "notify_base_moved":
            return "seconds"
        case _:
            return "bytes"


def amount_in_words(key: LimitKey, amount: int, *, iec: bool = False) -> str:
    """An amount of a limit: `734 MB`, `3 layers`, `90 days`, `1 base`."""
    match unit_of(key):
        case "bytes":
            return format_bytes(amount, iec=iec)
        case "seconds":
            return _counted(amount // _DAY_S, "day")
        case "bases":
            return _counted(amount, "base")
        case _:
            return _counted(amount, "layer")


def _counted(amount: int, noun: str) -> str:
    return f"{amount:,} {noun if abs(amount) == 1 else f'{noun}s'}"


Quantity: TypeAlias = Literal[
    "compressed_bytes",
    "uncompressed_bytes",
    "layers",
    "layer_compressed_bytes",
    "deduplicated_bytes",
]
"""`layer_compressed_bytes`: of one layer alone; `deduplicated_bytes`: what a push added
to what its repository stores."""

QUANTITIES: Final[Mapping[LimitKey, Quantity]] = {
    "max_compressed": "compressed_bytes",
    "max_uncompressed": "uncompressed_bytes",
    "max_growth": "compressed_bytes",
    "max_layers": "layers",
    "max_layer_compressed": "layer_compressed_bytes",
    "max_deduplicated": "deduplicated_bytes",
}
"""Of each limit but `BASE_LIMITS`."""
WORDS: Final[Mapping[Quantity, str]] = {
    "compressed_bytes": "compressed",
    "uncompressed_bytes": "on disk",
    "layers": "",
    "layer_compressed_bytes": "compressed in one layer",
    "deduplicated_bytes": "stored",
}
"""What stands behind an amount; layers say it themselves."""


def written_amount(quantity: Quantity, amount: int, *, iec: bool = False) -> str:
    """`734 MB`, or `3 layers`."""
    if quantity == "layers":
        return _counted(amount, "layer")
    return format_bytes(amount, iec=iec)


def line_amount(
    image: WeighedImage,
    line: WeighedLine,
    quantity: Quantity,
    added: Container[Digest] = (),
) -> int | None:
    """What one line has of a quantity; None where that is not known.

    added: layers that nothing else in the repository has, for `deduplicated_bytes`
    """
    if line.layer is None:
        return 0
    layer = image.layers[line.layer]
    match quantity:
        case "layers":
            return 1
        case "layer_compressed_bytes":
            return layer.compressed_bytes
        case "uncompressed_bytes":
            return line.uncompressed_bytes
        case "deduplicated_bytes":
            return line.compressed_bytes if layer.digest in added else 0
        case _:
            return line.compressed_bytes


def image_amount(image: WeighedImage, quantity: Quantity) -> int | None:
    """What a whole image has of a quantity, in the terms of its limit; None where that
    is not known."""
    match quantity:
        case "layers":
            return len(image.layers)
        case "layer_compressed_bytes":
            return max((layer.compressed_bytes for layer in image.layers), default=0)
        case "uncompressed_bytes":
            return image.uncompressed.uncompressed_bytes
        case _:
            return image.compressed_bytes
