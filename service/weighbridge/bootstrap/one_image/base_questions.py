"""An image that was just weighed, as bases are looked for, and what a service knows."""

from collections.abc import Sequence
from typing import Final

from weighbridge.bootstrap.one_image.service_limits import Service, bases_of_service
from weighbridge.domain.base.detection import BaseQuestion
from weighbridge.domain.base.told_bases import base_among
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import (
    AnnotatedBase,
    Descriptor,
    Image,
    Layer,
    Line,
    Manifest,
)
from weighbridge.domain.image.reference import parse_reference
from weighbridge.domain.policy.base_limits import CertainBase
from weighbridge.domain.size.weighing import WeighedImage
from weighbridge.errors import InvalidReference

_NO_PLATFORM: Final = 0
"""Only bases that lines tell are compared by it, and these are not certain."""


async def bases_told(
    service: Service, images: Sequence[WeighedImage]
) -> dict[str, CertainBase]:
    """What each image stands on by its digest, where its layers show it: one question
    an image. Raises as `limits_of_service`."""
    found: dict[str, CertainBase] = {}
    for image in images:
        asked = question_of(image)
        told = await bases_of_service(service, asked.layers)
        base = base_among(told, asked, image.base)
        if base is not None:
            found[str(image.digest)] = base
    return found


def question_of(image: WeighedImage) -> BaseQuestion:
    """What is to be looked up for it."""
    return BaseQuestion.of(_document(image), _NO_PLATFORM)


def _document(image: WeighedImage) -> Image:
    """The image as its documents have it, as far as bases are found by that."""
    layers = tuple(
        Layer(y.media_type, y.digest, y.claimed_bytes, y.is_foreign)
        for y in image.layers
    )
    config = Descriptor("", Digest(image.config_digest), 0)
    manifest = Manifest(
        image.digest, image.media_type, 0, config, layers, base=_annotated(image)
    )
    return Image(
        manifest=manifest,
        platform=image.platform,
        created_at=image.created_at,
        diff_ids=(),
        lines=tuple(Line(n.instruction, n.created_at, n.layer) for n in image.lines),
        history_alignment=image.history_alignment,
    )


def _annotated(image: WeighedImage) -> AnnotatedBase | None:
    """What whoever pushed it says that it stands on: another base than that of its
    layers makes these a relative."""
    if image.base is None or image.base.found_by != "annotation":
        return None
    try:
        return AnnotatedBase(parse_reference(image.base.reference), None)
    except InvalidReference:
        return None
