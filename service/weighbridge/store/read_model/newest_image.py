"""What the read model says of a repository's newest image."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import BigInteger, Connection, bindparam, func, select

from weighbridge.domain.growth.newest import baseline, leading, ranked
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.size.weigh_image import pulled_bytes
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.ledger.blob_expressions import sized
from weighbridge.store.models import blob_sizes, blobs, layers, lines
from weighbridge.store.read_model.leading_tags import (
    LeadingTags,
    ScopedPages,
    find_leading,
)
from weighbridge.store.read_model.tags_by_time import TagPages, read_pages

FEW_TAGS: Final = 200
"""Repositories of so many tags, or fewer, are read together."""

NEWEST_COLUMNS: Final = (
    "newest_tag",
    "newest_image_id",
    "newest_platform",
    "newest_by",
    "newest_at",
    "newest_compressed_bytes",
    "newest_compressed_confidence",
    "newest_uncompressed_bytes",
    "newest_uncompressed_confidence",
    "newest_layers",
    "baseline_compressed_bytes",
    "heaviest_instruction_id",
    "heaviest_compressed_bytes",
)

_LAYERS: Final = Rows(
    select(
        layers.c.image_id,
        layers.c.position,
        layers.c.blob_id,
        func.coalesce(
            blob_sizes.c.registry_bytes,
            layers.c.claimed_bytes,
            blobs.c.compressed_bytes,
        ).label("compressed_bytes"),
    )
    .select_from(
        sized(
            layers.join(blobs, blobs.c.id == layers.c.blob_id),
            bindparam("scope", type_=BigInteger),
        )
    )
    .where(among_ids(layers.c.image_id))
)
_LINES: Final = Rows(
    select(lines.c.image_id, lines.c.entries).where(among_ids(lines.c.image_id))
)


def is_by_platform(column: str) -> bool:
    """Whether the order of platforms decides what the column holds."""
    return column.startswith(("newest_", "baseline_", "heaviest_"))


class Tagged(Struct, frozen=True):
    """A repository: its storage scope, and how many live tags it has."""

    scope_id: int
    tag_count: int


class NewestImage(Struct, frozen=True):
    """Columns of the read model, and whether they will change by themselves as time
    goes on."""

    values: Mapping[str, object]
    ripens: bool


def find_newest_images(
    connection: Connection,
    repositories: Mapping[int, Tagged],
    now: datetime,
    platforms: Sequence[Platform],
) -> dict[int, NewestImage]:
    """Of each repository the newest image that its tags lead to, its baseline and
    heaviest line; `platforms`: in the order in which one of them speaks for an index.
    """
    newest = {
        number: _newest(found, now)
        for several in _read_together(connection, repositories)
        for number, found in find_leading(connection, several, now, platforms).items()
    }
    return _with_heaviest(connection, repositories, newest)


def _read_together(
    connection: Connection, repositories: Mapping[int, Tagged]
) -> Iterator[dict[int, ScopedPages]]:
    """Those of few tags, and each of the others alone."""
    few = [n for n, each in repositories.items() if each.tag_count <= FEW_TAGS]
    pages = read_pages(connection, few)
    if pages:
        yield {
            number: ScopedPages(repositories[number].scope_id, each)
            for number, each in pages.items()
        }
    for number, each in repositories.items():
        if number not in pages:
            yield {number: ScopedPages(each.scope_id, TagPages(connection, number))}


def _newest(found: LeadingTags, now: datetime) -> NewestImage:
    """All but the heaviest line."""
    values: dict[str, object] = dict.fromkeys(NEWEST_COLUMNS)
    order = ranked(leading(found.candidates, now), now)
    if order:
        newest = order[0].candidate
        image = found.headlines[newest.tag]
        values |= {
            "newest_tag": newest.tag,
            "newest_image_id": image.image_id,
            "newest_platform": str(image.platform),
            "newest_by": order[0].by,
            "newest_at": newest.pushed_at or newest.moved_at or newest.created_at,
            "newest_compressed_bytes": image.compressed_bytes,
            "newest_compressed_confidence": image.compressed_confidence,
            "newest_uncompressed_bytes": image.uncompressed_bytes,
            "newest_uncompressed_confidence": image.uncompressed_confidence,
            "newest_layers": image.layers,
            "baseline_compressed_bytes": baseline(order),
        }
    return NewestImage(values, found.ripens)


def _with_heaviest(
    connection: Connection,
    repositories: Mapping[int, Tagged],
    newest: Mapping[int, NewestImage],
) -> dict[int, NewestImage]:
    wanted: dict[int, set[int]] = {}
    for number, found in newest.items():
        image_id = found.values["newest_image_id"]
        if isinstance(image_id, int):
            wanted.setdefault(repositories[number].scope_id, set()).add(image_id)
    heaviest: dict[tuple[int, object], dict[str, object]] = {
        (scope_id, image_id): values
        for scope_id, image_ids in wanted.items()
        for image_id, values in _heaviest(connection, image_ids, scope_id).items()
    }
    return {
        number: replace(found, values={**found.values, **heaviest.get(place, {})})
        for number, found in newest.items()
        for place in [(repositories[number].scope_id, found.values["newest_image_id"])]
    }


def _heaviest(
    connection: Connection, image_ids: Collection[int], scope_id: int
) -> dict[int, dict[str, object]]:
    """Of each image the line with the most compressed bytes, the first of equals;
    nothing where no line has any."""
    parameters = {"ids": listed(image_ids), "scope": scope_id}
    layers_of: dict[int, list[tuple[int, int]]] = {}
    for image_id, _, blob_id, size in sorted(_LAYERS.read(connection, parameters)):
        layers_of.setdefault(image_id, []).append((blob_id, size))
    found: dict[int, dict[str, object]] = {}
    for image_id, entries in _LINES.read(connection, {"ids": listed(image_ids)}):
        steps: list[tuple[int, int | None, int | None]] = json.loads(entries)
        weights = pulled_bytes((step[2] for step in steps), layers_of.get(image_id, ()))
        heaviest = max(range(len(steps)), key=lambda n: weights[n] or 0, default=None)
        if heaviest is not None and weights[heaviest]:
            found[image_id] = {
                "heaviest_instruction_id": steps[heaviest][0],
                "heaviest_compressed_bytes": weights[heaviest],
            }
    return found
