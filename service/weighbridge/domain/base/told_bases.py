"""What a service knows of an image's first layers, and what follows for the image."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct, ValidationError, convert

from weighbridge.domain.base.detection import (
    BaseQuestion,
    KnownBase,
    NamedBases,
    find_base,
)
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.domain.policy.base_limits import CertainBase
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import DocumentError

MOST_CHAINS: Final = 40
"""A base has fewer layers; what stands on one may have more."""
_Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_History = Annotated[str, Meta(pattern="^(?:[0-9a-f]{64})?$")]
_Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Seconds = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Reference = Annotated[str, Meta(max_length=600)]


class ToldBase(Struct, frozen=True):
    """One base, as `GET /api/v1/known-bases` has it.

    chain:      over its layers, see `domain.base.chain`, in hexadecimal digits
    history:    the same over its lines; "" and 0 where these tell nothing
    references: its names, the one that is shown first
    replaced_for_s: see `CertainBase`
    """

    chain: _Hash
    layer_count: _Count
    history: _History
    line_count: _Count
    references: Annotated[tuple[_Reference, ...], Meta(min_length=1)]
    replaced_for_s: _Seconds

    @property
    def certain(self) -> CertainBase:
        return CertainBase(self.references, self.replaced_for_s)


class _ToldBases(Struct):
    items: Annotated[list[ToldBase], Meta(max_length=10_000)]


def parse_told_bases(raw: bytes) -> Sequence[ToldBase]:
    """The answer of a service. Raises DocumentError(invalid_limits)."""
    try:
        return convert(parse_json(raw), _ToldBases).items
    except ValidationError as exc:
        raise DocumentError(
            f"what the service answers about bases cannot be read: {exc}",
            code="invalid_limits",
        ) from exc


def base_among(
    told: Sequence[ToldBase], asked: BaseQuestion, said: ImageBase | None
) -> CertainBase | None:
    """What an image stands on; None: that is not certain.

    said: what whoever pushed it says. Where that is a name of what its layers show, no
          other image lies between
    """
    by_layers: dict[bytes, list[KnownBase]] = {}
    for number, base in enumerate(told):
        known = KnownBase(
            number,
            bytes.fromhex(base.chain),
            base.layer_count,
            None,
            bytes.fromhex(base.history),
            base.line_count,
        )
        by_layers.setdefault(known.chain, []).append(known)
    named = NamedBases()
    if said is not None and said.found_by == "annotation":
        ids = {n for n, base in enumerate(told) if said.reference in base.references}
        named = NamedBases(by_name=ids)
    no_lines: Mapping[bytes, Sequence[KnownBase]] = {}
    found = find_base(asked, by_layers, no_lines, named)
    if found is None or found.base_id is None or found.relation != "base":
        return None
    return told[found.base_id].certain
