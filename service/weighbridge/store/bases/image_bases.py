"""Rows of `image_bases`: which image stands on which base, as far as it is known, and
what its annotations say of it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection, delete, select

from weighbridge.domain.base.detection import BaseQuestion
from weighbridge.domain.base.names import annotated_text
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import AnnotatedBase, Image
from weighbridge.domain.image.image_base import BaseInWords, FoundBy, Relation
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.image.reference import parse_reference
from weighbridge.store.bases.known_bases import find_bases, references_of
from weighbridge.store.dialect import BulkUpsert, Rows, among_ids, listed
from weighbridge.store.models import base_chains, image_bases

_base = image_bases.c
_KEEP: Final = BulkUpsert(
    image_bases,
    key=("image_id",),
    values=("base_chain_id", "relation", "found_by", "reference", "digest"),
)
_STORED: Final = Rows(
    select(
        _base.image_id,
        _base.base_chain_id,
        _base.relation,
        _base.found_by,
        _base.reference,
        base_chains.c.layer_count,
        base_chains.c.compressed_bytes,
    )
    .outerjoin_from(image_bases, base_chains, base_chains.c.id == _base.base_chain_id)
    .where(among_ids(_base.image_id))
)
_SAID: Final = Rows(
    select(_base.image_id, _base.reference, _base.digest).where(
        among_ids(_base.image_id)
    )
)
_ROWS: Final = Rows(
    select(
        _base.image_id,
        _base.base_chain_id,
        _base.relation,
        _base.found_by,
        _base.reference,
        _base.digest,
    ).where(among_ids(_base.image_id))
)


class ImageBaseRow(NamedTuple):
    """A row of `image_bases`, whose columns these are."""

    image_id: int
    base_chain_id: int | None
    relation: Relation | None
    found_by: FoundBy | None
    reference: str | None
    digest: Digest | None


def keep_image_bases(
    connection: Connection,
    images: Sequence[Image],
    ids: Mapping[Digest, int],
    platforms: Mapping[Platform, int],
) -> None:
    """Note what these images stand on, by the bases that are known now.

    A batch costs one look-up of all layers; one of all lines where layers show
    nothing; and where annotations name bases, two by digest and two for each name. One
    row is written for each image of which something is known.
    """
    _KEEP.add(connection, _find_rows(connection, images, ids, platforms))


def _find_rows(
    connection: Connection,
    images: Sequence[Image],
    ids: Mapping[Digest, int],
    platforms: Mapping[Platform, int],
) -> list[ImageBaseRow]:
    asked = [BaseQuestion.of(image, platforms[image.platform]) for image in images]
    rows = []
    for question, found in zip(asked, find_bases(connection, asked), strict=True):
        said = question.image.manifest.base
        if found is None and said is None:
            continue
        row = ImageBaseRow(
            image_id=ids[question.image.digest],
            base_chain_id=None if found is None else found.base_id,
            relation=None if found is None else found.relation,
            found_by=None if found is None else found.found_by,
            reference=annotated_text(said.name) if said and said.name else None,
            digest=None if said is None else said.digest,
        )
        rows.append(row)
    return sorted(rows, key=lambda row: row.image_id)


def find_image_bases_anew(
    connection: Connection,
    images: Mapping[int, Image],
    platforms: Mapping[Platform, int],
) -> None:
    """The same for stored images, which have no annotations with them: those that were
    kept of each count."""
    _KEEP.add(connection, image_bases_anew(connection, images, platforms))


def image_bases_anew(
    connection: Connection,
    images: Mapping[int, Image],
    platforms: Mapping[Platform, int],
) -> list[ImageBaseRow]:
    """The rows that stored images have by the bases that are known now; nothing is
    written. Those of which nothing is known have none."""
    said = annotated_bases(connection, images)
    annotated = [
        replace(image, manifest=replace(image.manifest, base=said.get(number)))
        for number, image in images.items()
    ]
    ids = {image.digest: number for number, image in images.items()}
    return _find_rows(connection, annotated, ids, platforms)


def stored_image_bases(
    connection: Connection, image_ids: Collection[int]
) -> list[ImageBaseRow]:
    """The rows of these images that are kept, in no order."""
    found = _ROWS.read(connection, {"ids": listed(sorted(image_ids))})
    return [ImageBaseRow(*row) for row in found]


def replace_image_bases(
    connection: Connection, image_ids: Collection[int], rows: Sequence[ImageBaseRow]
) -> None:
    """Keep these rows of these images, and no others."""
    if image_ids:
        statement = delete(image_bases).where(among_ids(_base.image_id))
        connection.execute(statement, {"ids": listed(sorted(image_ids))})
    _KEEP.add(connection, rows)


def annotated_bases(
    connection: Connection, image_ids: Collection[int]
) -> dict[int, AnnotatedBase]:
    """What the annotations of these images say."""
    rows = _SAID.read(connection, {"ids": listed(sorted(image_ids))})
    return {
        number: AnnotatedBase(parse_reference(text) if text else None, digest)
        for number, text, digest in rows
        if text or digest
    }


def load_bases(
    connection: Connection, image_ids: Collection[int], now: datetime
) -> dict[int, BaseInWords]:
    """What each of these images stands on; those of which it is not known are left out,
    and so is what an annotation says wrongly."""
    rows = _STORED.read(connection, {"ids": listed(sorted(image_ids))})
    names = references_of(connection, {row[1] for row in rows if row[1]}, now)
    found: dict[int, BaseInWords] = {}
    for number, base_id, relation, found_by, said, layers, size in rows:
        if relation is None or found_by is None:
            continue
        reference, also = names.get(base_id or 0, (said, ()))
        if reference is None:
            continue
        if found_by == "annotation" and said in also:
            # Of several right names the one that whoever built it says.
            also = tuple(sorted({*also, reference} - {said}))
            reference = said
        found[number] = BaseInWords(reference, also, layers, relation, found_by, size)
    return found
