"""What the read model says of a repository's newest image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, select

from weighbridge.domain.newest import baseline, leading, ranked
from weighbridge.domain.platform import Platform
from weighbridge.domain.sizes import heaviest_line, weigh_image
from weighbridge.store.interned import find_instruction
from weighbridge.store.leading_tags import LeadingTags
from weighbridge.store.models import repositories
from weighbridge.store.stored_images import load_images

_COLUMNS: Final = (
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

_SCOPE_OF: Final = select(repositories.c.scope_id).where(
    repositories.c.id == bindparam("repository")
)


def is_by_platform(column: str) -> bool:
    """Whether the order of platforms decides what the column holds."""
    return column.startswith(("newest_", "baseline_", "heaviest_"))


@dataclass(frozen=True, slots=True)
class NewestImage:
    """Columns of the read model, and whether they will change by themselves as time
    goes on."""

    values: Mapping[str, object]
    ripens: bool


def find_newest_image(
    connection: Connection,
    repository_id: int,
    now: datetime,
    platforms: Sequence[Platform],
) -> NewestImage:
    """The newest image that the repository's tags lead to, its baseline and heaviest
    line; `platforms`: in the order in which one of them speaks for an index."""
    found = LeadingTags(connection, repository_id, platforms)
    ripens = _ripens(found, now)
    order = ranked(leading(found.candidates, now), now)
    if not order:
        return NewestImage(dict.fromkeys(_COLUMNS), ripens)
    newest = order[0].candidate
    image = found.headlines[newest.tag]
    values = {
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
        **_heaviest(connection, repository_id, image.image_id),
    }
    return NewestImage(values, ripens)


def _ripens(found: LeadingTags, now: datetime) -> bool:
    """Whether an image's `created` is in the future, where it does not count yet: the
    row is to be made again when it does, though nothing changes. (Dates beyond a
    year are nobody's clock running ahead.) Where times have put an image behind those
    that are looked at, its `created` never counts."""
    soon, late = now + timedelta(days=1), now + timedelta(days=366)
    return any(
        one.created_at is not None and soon < one.created_at < late
        for one in found.candidates
    )


def _heaviest(
    connection: Connection, repository_id: int, image_id: int
) -> dict[str, object]:
    scope_id: int = connection.execute(
        _SCOPE_OF, {"repository": repository_id}
    ).scalar_one()
    stored = load_images(connection, [image_id], scope_id)[image_id]
    line = heaviest_line(weigh_image(stored.image, stored.measured))
    if line is None:
        return {"heaviest_instruction_id": None, "heaviest_compressed_bytes": None}
    return {
        "heaviest_instruction_id": find_instruction(connection, line.instruction),
        "heaviest_compressed_bytes": line.compressed_bytes,
    }
