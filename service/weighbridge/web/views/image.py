"""The page of one image: the verdict, its cause, and the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from weighbridge.domain.digest import Digest, short
from weighbridge.domain.report import RepositoryReport
from weighbridge.domain.weighing import WeighedImage, Weighing
from weighbridge.web.views.charts import Label, Segment, bar_labels, layer_bar
from weighbridge.web.views.lines import LineTable, line_table
from weighbridge.web.views.numbers import (
    BITS_A_SECOND,
    Amount,
    percent,
    pull_time,
)
from weighbridge.web.views.overview import Banner, repository_state
from weighbridge.web.views.words import amount, confidence_sentence

_ALIGNMENT: Final = {
    "inferred": "Which line made which layer is inferred from what the lines say.",
    "unresolved": "Its history does not fit its layers: lines stand without sizes.",
}
_ROLES: Final = {"artifact": "other artifact", "attestation": "attestation"}


@dataclass(frozen=True, slots=True)
class PlatformLink:
    """A switch to another platform of the same index."""

    name: str
    is_shown: bool


@dataclass(frozen=True, slots=True)
class OtherRow:
    """Something in the same index that is no image."""

    role: str
    digest: str
    media_type: str
    stored_bytes: int | None


@dataclass(frozen=True, slots=True)
class ImagePage:
    """image and table are None for what is no image; then only the head, the
    banners and the others are shown."""

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
    repository: RepositoryReport | None = None,
) -> ImagePage:
    """The page of the first image of the weighing."""
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
        banners=tuple(_banners(weighing, image, repository)),
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
        on_disk=amount(image.uncompressed) if image else Amount(None),
        confidence=confidence_sentence(image.uncompressed, compressed) if image else "",
        pull_fast=pull_time(compressed, fast),
        pull_slow=pull_time(compressed, slow),
        segments=tuple(segments),
        labels=tuple(bar_labels(segments)),
        heaviest_share=percent(heaviest, compressed),
        remaining_bytes=compressed - heaviest,
    )


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
    weighing: Weighing, image: WeighedImage | None, repository: RepositoryReport | None
) -> list[Banner]:
    banners: list[Banner] = []
    if repository is not None:
        word, sentence = repository_state(repository)
        if word and repository.state not in ("new", "partial", "ok"):
            at = _known_at(repository.last_complete_pass_at)
            banners.append(Banner(word, f"{sentence}{at}.", True))
    banners.extend(Banner("", text, False) for text in weighing.warnings)
    if image is not None:
        banners.extend(Banner("", p.message, False) for p in image.problems)
        if image.history_alignment in _ALIGNMENT:
            banners.append(Banner("", _ALIGNMENT[image.history_alignment], False))
    return banners


def _known_at(moment: datetime | None) -> str:
    return f", known at {moment:%Y-%m-%d %H:%M} UTC" if moment else ""
