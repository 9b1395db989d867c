"""What the ledger takes from a blob's facts, as conditions and expressions of SQL, and
sums of bytes that no claim can break.

A stranger may claim sizes whose sum leaves 64 bits; SQLite's sum() then raises
"integer overflow", and one hostile image would take a whole registry's numbers away.
So both halves of each number are summed, and put together here.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Join,
    Label,
    Row,
    SmallInteger,
    and_,
    case,
    func,
    or_,
    type_coerce,
)

from weighbridge.domain.size.weigh_image import NOT_HELD
from weighbridge.store.models import (
    FACTS_STATES,
    KEPT_STATES,
    blob_sizes,
    blobs,
    images,
    layers,
    manifest_sizes,
)

_HALF: Final = 2**32


def exact_sum(column: ColumnElement[int], name: str) -> tuple[Label[int], Label[int]]:
    """Two columns for a SELECT, from which `sum_of` makes the sum under `name`."""
    number = type_coerce(column, BigInteger)
    return (
        func.sum(number // _HALF).label(f"{name}_high"),
        func.sum(number % _HALF).label(f"{name}_low"),
    )


def sum_of(row: Row[*tuple[object, ...]], name: str) -> int:
    """The exact sum of a row that `exact_sum` selected; 0 of no rows."""
    # PostgreSQL sums bigints into numerics, which come as Decimal.
    high = int(row._mapping[f"{name}_high"] or 0)
    low = int(row._mapping[f"{name}_low"] or 0)
    return high * _HALF + low


# By place and not by name: a list of words would be put together anew each time.
_state = type_coerce(blobs.c.facts_state, SmallInteger)
HAS_FACTS: Final[ColumnElement[bool]] = _state >= FACTS_STATES.index(KEPT_STATES[0])
"""Whether the blob's document as a manifest was read and kept."""
IS_IMAGE: Final[ColumnElement[bool]] = _state == FACTS_STATES.index("image")
HAS_BLOBS: Final[ColumnElement[bool]] = or_(
    IS_IMAGE, _state == FACTS_STATES.index("artifact")
)
"""Whether the blob is an image or an artifact: a manifest with blobs of its own."""
LEADS_TO_IMAGES: Final[ColumnElement[bool]] = or_(
    IS_IMAGE, _state == FACTS_STATES.index("index")
)
"""Whether the blob is an image, or lists manifests that may be."""
CLAIMED_BYTES: Final = case(
    (blobs.c.read_bytes.is_not(None), blobs.c.read_bytes),
    (or_(blobs.c.is_foreign, blobs.c.has_conflict), 0),
    else_=func.coalesce(type_coerce(blobs.c.compressed_bytes, BigInteger), 0),
)
"""What `blobs.counted_bytes` is to be: of what was read whole its length; a claim only
while nobody contradicts it: who lies then adds nothing to anybody's totals."""
# What was asked for and is not held by the registry occupies nothing there.
_WORD: Final = case(
    (blob_sizes.c.claim_reason == NOT_HELD, 0),
    else_=blob_sizes.c.registry_bytes,
)
STORED_BYTES: Final[ColumnElement[int]] = func.coalesce(
    case((~blobs.c.is_known, _WORD)), blobs.c.counted_bytes
)
"""What a blob occupies in a storage scope: the registry's word, where it is known, else
what claims count. To be selected from blobs joined with `blob_sizes` by `sized`."""
LAYER_BYTES: Final[ColumnElement[int]] = func.coalesce(
    blob_sizes.c.registry_bytes, layers.c.claimed_bytes, blobs.c.compressed_bytes
)
"""What a layer of an image takes there: the registry's word, else what the image's
manifest says. To be selected from `layers` as well."""
WEIGHED_BYTES: Final = case(
    (
        IS_IMAGE,
        func.coalesce(manifest_sizes.c.compressed_bytes, images.c.compressed_bytes),
    ),
    else_=None,
)
"""What an image weighs in a storage scope, NULL for all that is no image. To be
selected from blobs joined by `weighed`."""


def in_doubt(blob: FromClause) -> ColumnElement[bool]:
    """Whether a blob, joined with `blob_sizes`, is to be asked for once more: documents
    came to disagree about what all of them had said until then, that it is gzip, of
    which the end alone was read, or that it is elsewhere."""
    is_by_end = func.coalesce(blob_sizes.c.seen_format == "gzip_end", False)
    is_final = and_(
        func.coalesce(blob_sizes.c.claim_reason == NOT_HELD, False),
        blob_sizes.c.ask_again_at.is_(None),
    )
    return or_(
        and_(blob.c.has_format_conflict, is_by_end),
        and_(is_final, ~blob.c.is_foreign),
    )


def has_word_on(scope: ColumnElement[int]) -> ColumnElement[bool]:
    """That a row of `blob_sizes` is the word of a scope's registry on a row of
    `blobs`."""
    return and_(blob_sizes.c.scope_id == scope, blob_sizes.c.blob_id == blobs.c.id)


def sized(tables: FromClause, scope: ColumnElement[int]) -> Join:
    """Tables that hold `blobs`, with the word of the scope's registry on each."""
    return tables.outerjoin(blob_sizes, has_word_on(scope))


def weighs_in(scope: ColumnElement[int]) -> ColumnElement[bool]:
    """That a row of `manifest_sizes` says what a row of `blobs` weighs in a scope."""
    return and_(
        manifest_sizes.c.scope_id == scope, manifest_sizes.c.manifest_id == blobs.c.id
    )


def weighed(tables: FromClause, scope: ColumnElement[int]) -> Join:
    """Tables that hold `blobs`, with what those that are images weigh in a scope."""
    return tables.outerjoin(images, images.c.id == blobs.c.id).outerjoin(
        manifest_sizes, weighs_in(scope)
    )
