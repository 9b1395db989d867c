"""What the ledger takes from a blob's facts, as conditions and expressions of SQL."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    SmallInteger,
    case,
    func,
    or_,
    type_coerce,
)

from weighbridge.store.models import FACTS_STATES, KEPT_STATES, blobs, images

# By place and not by name: a list of words would be put together anew each time.
_state = type_coerce(blobs.c.facts_state, SmallInteger)
HAS_FACTS: Final[ColumnElement[bool]] = _state >= FACTS_STATES.index(KEPT_STATES[0])
"""Whether the blob's document as a manifest was read and kept."""
IS_IMAGE: Final[ColumnElement[bool]] = _state == FACTS_STATES.index("image")
LEADS_TO_IMAGES: Final[ColumnElement[bool]] = or_(
    IS_IMAGE, _state == FACTS_STATES.index("index")
)
"""Whether the blob is an image, or lists manifests that may be."""
STORED_BYTES: Final = case(
    (blobs.c.is_foreign, 0),
    else_=func.coalesce(type_coerce(blobs.c.compressed_bytes, BigInteger), 0),
)
"""What a blob occupies in a registry, by the first claim; foreign: it is elsewhere."""
WEIGHED_BYTES: Final = case((IS_IMAGE, images.c.compressed_bytes), else_=None)
"""Of a blob joined with `images`: what an image weighs, NULL for all others."""
