"""The page of one image: the verdict, its cause, and the evidence."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.image.digest import Digest, short
from weighbridge.domain.size.weighing import WeighedImage, Weighing
from weighbridge.web.views.banners import Banner
from weighbridge.web.views.charts import Label, Segment, bar_labels, layer_bar
from weighbridge.web.views.lines import LineTable, line_table
from weighbridge.web.views.numbers import (
    BITS_A_SECOND,
    Amount,
    percent,
    plural,
    pull_time,
)
from weighbridge.web.views.words import amount, confidence_sentence, marked

_INFERRED: Final = "Which line made which layer is inferred from what the lines say."
_SQUASHED: Final = (
    "Several lines were committed as one layer: what each of them added is not known."
)
_MISMATCH: Final = "history_mismatch"
"""The problem that every image with the alignment `unresolved` has, if it has a
history: one sentence says both."""
_ROLES: Final = {
    "artifact": "other artifact",
    "attestation": "attestation",
    "image": "image that is not pulled",
}


class PlatformLink(Struct, frozen=True):
    """A switch to another platform of the same index."""

    name: str
    is_shown: bool


class OtherRow(Struct, frozen=True):
    """Something in the same index that is no image."""

    role: str
    digest: str
    media_type: str
    stored_bytes: int | None


class ImagePage(Struct, frozen=True):
    """image and table are None for what is no image; then only the head, the
    banners and the others are shown.

    claimed_bytes: what the manifest says, where the registry says otherwise
    """

    title: str
    ref: str
    registry: str
    repository: str
    digest: Digest
    kind: str
    media_type: str
    aliases: tuple[str, ...]
    platforms: tuple[PlatformLink, ...]
    banners: tuple[Banner, ...]
    others: tuple[OtherRow, ...]
    others_bytes: int
    image: WeighedImage | None
    table: LineTable | None
    compressed: Amount
    claimed_bytes: int | None
    on_disk: Amount
    confidence: str
    pull_fast: str
    pull_slow: str
    segments: tuple[Segment, ...]
    labels: tuple[Label, ...]
    heaviest_share: str
    remaining_bytes: int

    @property
    def short_digest(self) -> str:
        """`sha256:` and 12 digits."""
        return short(self.digest)


def image_page(
    weighing: Weighing,
    aliases: Sequence[str] = (),
    banners: Sequence[Banner] = (),
) -> ImagePage:
    """The page of the first image of the weighing; `banners` come before its own."""
    image = weighing.images[0] if weighing.images else None
    table = line_table(image) if image else None
    segments = layer_bar(table.parts()) if table else []
    compressed = image.compressed_bytes if image else 0
    heaviest = table.heaviest.compressed_bytes if table and table.heaviest else 0
    fast, slow = BITS_A_SECOND.values()
    return ImagePage(
        title=_title(weighing),
        ref=f"{weighing.registry}/{_title(weighing)}",
        registry=weighing.registry,
        repository=weighing.repository,
        digest=weighing.digest,
        kind=weighing.kind,
        media_type=weighing.media_type,
        aliases=tuple(name for name in aliases if name != weighing.tag),
        platforms=_platforms(weighing, image),
        banners=(*banners, *_banners(weighing, image, table)),
        others=tuple(
            OtherRow(
                _ROLES.get(o.role, o.role),
                short(o.digest),
                o.media_type,
                o.stored_bytes,
            )
            for o in weighing.others
        ),
        others_bytes=sum(other.stored_bytes or 0 for other in weighing.others),
        image=image,
        table=table,
        compressed=_compressed(image),
        claimed_bytes=image.claimed_bytes
        if image and image.compressed_confidence == "disputed"
        else None,
        on_disk=amount(image.uncompressed) if image else Amount(None),
        confidence=confidence_sentence(image.uncompressed, compressed) if image else "",
        pull_fast=pull_time(compressed, fast),
        pull_slow=pull_time(compressed, slow),
        segments=tuple(segments),
        labels=tuple(bar_labels(segments)),
        heaviest_share=percent(heaviest, compressed),
        remaining_bytes=compressed - heaviest,
    )


def _compressed(image: WeighedImage | None) -> Amount:
    if image is None:
        return Amount(None)
    size = Amount(image.compressed_bytes)
    return marked(size, image.compressed_confidence, image.claimed_bytes)


def _title(weighing: Weighing) -> str:
    if weighing.tag is not None:
        return f"{weighing.repository}:{weighing.tag}"
    return f"{weighing.repository}@{weighing.digest}"


def _platforms(
    weighing: Weighing, image: WeighedImage | None
) -> tuple[PlatformLink, ...]:
    shown = str(image.platform) if image else ""
    names = dict.fromkeys(str(platform) for platform in weighing.platforms)
    return tuple(PlatformLink(name, name == shown) for name in names)


def _banners(
    weighing: Weighing, image: WeighedImage | None, table: LineTable | None
) -> list[Banner]:
    texts = list(weighing.warnings)
    if image is not None and table is not None:
        texts += [p.message for p in image.problems if p.code != _MISMATCH]
        texts += _alignment(image, table)
    return [Banner("", text, False) for text in texts]


def _alignment(image: WeighedImage, table: LineTable) -> list[str]:
    """How sure it is which line made which layer, where that is to be said."""
    if any(row.stands_for == "squashed" for row in table.layers):
        return [_SQUASHED]
    if image.history_alignment == "inferred":
        return [_INFERRED]
    if image.history_alignment == "exact":
        return []
    if not table.lines:
        # A config that could not be read is a problem of its own, and the cause.
        has_cause = any(p.code != _MISMATCH for p in image.problems)
        return [] if has_cause else ["It has no history: no line is known."]
    lines = plural(table.lines, "line")
    fits = "does" if table.lines == 1 else "do"
    layers = plural(len(image.layers), "layer")
    return [
        f"The {lines} of its history {fits} not fit its {layers}: what each line "
        "added is not known."
    ]
