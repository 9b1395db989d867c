"""What an image weighs in a storage scope, as expressions of SQL: by the registry's
word, as far as that is known, else by what its manifest claims."""

from typing import Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Join,
    Label,
    and_,
    func,
    literal,
    type_coerce,
)

from weighbridge.domain.size.confidence import COMPRESSED_CONFIDENCES
from weighbridge.store.models import images, manifest_sizes
from weighbridge.store.models.types import Enumeration

_size = manifest_sizes.c
_CONFIDENCE: Final = Enumeration(COMPRESSED_CONFIDENCES)

COMPRESSED_BYTES: Final[Label[int]] = func.coalesce(
    _size.compressed_bytes, images.c.compressed_bytes
).label("compressed_bytes")
COMPRESSED_CONFIDENCE: Final = type_coerce(
    func.coalesce(_size.compressed_confidence, literal("claimed", _CONFIDENCE)),
    _CONFIDENCE,
).label("compressed_confidence")
IS_WHOLE: Final[ColumnElement[bool]] = func.coalesce(_size.is_whole, False).label(
    "is_whole"
)


def in_scope(tables: FromClause, scope: ColumnElement[int]) -> Join:
    """Tables that hold `images`, with what each weighs in a scope."""
    return tables.outerjoin(
        manifest_sizes,
        and_(_size.scope_id == scope, _size.manifest_id == images.c.id),
    )
