"""Bases, and the images on one, as JSON objects: the keys of API, CSV and lists."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from weighbridge.domain.base.names import name_in_from
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.image_base import FoundBy, Relation
from weighbridge.domain.report.base import (
    BaseImageReport,
    BaseReport,
    BaseState,
    VariantState,
)
from weighbridge.domain.report.inventory import Page
from weighbridge.domain.size.confidence import CompressedConfidence
from weighbridge.presentation.rows.report_rows import page_of_rows, row_of


@dataclass(frozen=True, slots=True)
class ImageBaseAnswer:
    """What one image stands on. `relative`: it has layers in common with this base,
    and what it was built on is not known. Where nothing but an annotation names the
    base, `layers`, `compressed_bytes` and `share` are null."""

    reference: str
    also: list[str]
    layers: int | None
    compressed_bytes: int | None
    share: float | None
    relation: Relation
    found_by: FoundBy


@dataclass(frozen=True, slots=True)
class BaseRow:
    """A base by its name in FROM, with what stands on it in all registries.

    `layers` and `compressed_bytes` are of one build: that of `platform` to which the
    name leads now. Of the images that a repository leads to now, each once,
    `weighed_bytes` is what pulling all of them would move, `base_bytes` what of it is
    the base's, `own_bytes` the rest; `share` is their part that is the base's.
    `stored_bytes` is what the base takes in the registries: each build once a storage
    scope. `outdated_images` are on a build that the name does not lead to any more,
    `outdated_repositories` have such a newest image: they are to be rebuilt.
    `saved_bytes` is what slimmer variants would save of one pull of the newest image of
    each of `newest_repositories`; null where no lighter one is known.
    `variant` is the one that saves most, `saved_per_image_bytes` what it weighs less.
    `saved_stored_bytes` is what the registries would hold less if all `saving_images`
    moved: each layer counts once a storage scope. `variant_state` says why there is no
    variant: the base is the `smallest` one itself, `none` is known, or its own bytes
    are `unknown`.
    `claimed_images` only say that they are on it, and are in no other number. What
    is unknown is null: of a base that is not crawled (`state` is `unknown`).
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
    variant_state: VariantState
    variant: str | None
    variant_compressed_bytes: int | None
    saved_per_image_bytes: int | None
    saving_images: int | None
    saving_repositories: int | None
    saved_stored_bytes: int | None
    share: float | None


@dataclass(frozen=True, slots=True)
class BaseImageRow:
    """An image on a base, as one repository has it.

    `tags` are at most ten that lead to it, null where the repository has too many to
    look. Where `base_state` is `outdated`, the base's name leads to another build since
    `base_left_at`: the image is to be rebuilt.
    """

    registry: str
    repository: str
    tags: list[str] | None
    digest: Digest
    platform: str
    is_newest: bool
    base_state: BaseState
    base_left_at: datetime | None
    compressed_bytes: int
    compressed_confidence: CompressedConfidence
    own_bytes: int
    found_by: FoundBy


BASE_COLUMNS: Final = tuple(each.name for each in fields(BaseRow))
BASE_IMAGE_COLUMNS: Final = tuple(each.name for each in fields(BaseImageRow))


_VARIANT_WORDS: Final[Mapping[VariantState, str]] = {
    "lighter": "",
    "smallest": "already the smallest",
    "none": "no smaller variant known",
    "unknown": "unknown",
}


def variant_words(state: VariantState) -> str:
    """Why there is no slimmer variant; "" where there is one."""
    return _VARIANT_WORDS[state]


def shown_variant(row: BaseReport) -> str:
    """The variant as FROM has it; its tag alone where the repository is the base's; ""
    where there is none."""
    if row.variant is None:
        return ""
    repository, _, tag = row.variant.rpartition(":")
    of_base = row.reference.rpartition(":")[0]
    return tag if repository == of_base else name_in_from(row.variant)


def base_json(report: BaseReport) -> dict[str, object]:
    """The row of one base."""
    return row_of(BASE_COLUMNS, report)


def base_image_json(report: BaseImageReport) -> dict[str, object]:
    """The row of one image."""
    return row_of(BASE_IMAGE_COLUMNS, report)


def base_image_cells(report: BaseImageReport) -> dict[str, object]:
    """The same for CSV, where a cell holds one text: tags with a blank between."""
    tags = None if report.tags is None else " ".join(report.tags)
    return base_image_json(report) | {"tags": tags}


def one_base_json(report: BaseReport, page: Page[BaseImageReport]) -> dict[str, object]:
    """A base with one page of the images on it."""
    return {"base": base_json(report), **page_of_rows(page, base_image_json)}
