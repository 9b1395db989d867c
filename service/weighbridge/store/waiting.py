"""What waits to be measured: images without a total, and their layers.

A registry's live images are walked once, in pieces, by the keys of their tables. From
the waiting layers no index leads to the images that have them (it would be as large
as the layers), and other registries' and untagged images' layers may wait for ever.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import BindParameter, Connection, Select, bindparam, func, select

from weighbridge.domain.digest import Digest, raw
from weighbridge.domain.document import Layer
from weighbridge.store.dialect import (
    among_bytes,
    among_ids,
    join_in_order,
    listed,
)
from weighbridge.store.models import (
    blobs,
    images,
    index_members,
    layers,
    media_types,
    repositories,
    repository_manifests,
)


class Place(NamedTuple):
    """An image in a repository that has it live."""

    repository_id: int
    image_id: int


START: Final = Place(0, 0)
"""Before the first one."""

_live = repository_manifests.c
_IS_WAITING: Final = images.c.uncompressed_confidence.is_(None)
_MOST: Final[BindParameter[int]] = bindparam("most")
# SQLite keeps these orders: a repository's manifests follow one another in the key.
_ITS_IMAGES: Final = join_in_order(
    repository_manifests, images, images.c.id == _live.manifest_id
)
_THEIR_IMAGES: Final = join_in_order(
    join_in_order(
        repositories, repository_manifests, _live.repository_id == repositories.c.id
    ),
    images,
    images.c.id == _live.manifest_id,
)
_REST: Final = (
    select(_live.repository_id, _live.manifest_id)
    .select_from(_ITS_IMAGES)
    .where(
        _live.repository_id == bindparam("repository"),
        _live.manifest_id > bindparam("image"),
        _IS_WAITING,
    )
    .order_by(_live.manifest_id)
    .limit(_MOST)
)
_NEXT: Final = (
    select(_live.repository_id, _live.manifest_id)
    .select_from(_THEIR_IMAGES)
    .where(
        # Not by the index of a registry's repositories, which is in another order.
        repositories.c.registry_id + 0 == bindparam("registry"),
        repositories.c.id > bindparam("repository"),
        _IS_WAITING,
    )
    .order_by(repositories.c.id, _live.manifest_id)
    .limit(_MOST)
)
_WITHOUT_TOTAL: Final = (
    select(images.c.id)
    .where(_IS_WAITING, images.c.id > bindparam("image"))
    .order_by(images.c.id)
    .limit(_MOST)
)
_THESE: Final = (
    select(images.c.id)
    .join(blobs, blobs.c.id == images.c.id)
    .where(among_bytes(blobs.c.digest), _IS_WAITING)
    .order_by(images.c.id)
)
_THEIR_CHILDREN: Final = (
    select(images.c.id)
    .join(index_members, index_members.c.child_id == images.c.id)
    .join(blobs, blobs.c.id == index_members.c.index_id)
    .where(among_bytes(blobs.c.digest), _IS_WAITING)
    .order_by(images.c.id)
    .distinct()
)
_LAYERS: Final = (
    select(
        blobs.c.id,
        blobs.c.digest,
        blobs.c.has_conflict,
        blobs.c.unmeasured_bytes,
        blobs.c.annotated_uncompressed_bytes,
        blobs.c.media_type_id,
        func.min(layers.c.image_id).label("image_id"),
    )
    .select_from(join_in_order(layers, blobs, blobs.c.id == layers.c.blob_id))
    .where(among_ids(layers.c.image_id), blobs.c.unmeasured_bytes.is_not(None))
    .group_by(blobs.c.id)
    .order_by(blobs.c.unmeasured_bytes.desc(), blobs.c.id)
    .limit(_MOST)
)
_NAMES: Final = select(repositories.c.id, repositories.c.name).where(
    among_ids(repositories.c.id)
)
_TYPES: Final = select(media_types.c.id, media_types.c.text).where(
    among_ids(media_types.c.id)
)
_CLAIMS: Final = (
    select(layers.c.blob_id, layers.c.claimed_bytes)
    .where(among_ids(layers.c.blob_id), layers.c.claimed_bytes.is_not(None))
    .distinct()
    .order_by(layers.c.blob_id, layers.c.claimed_bytes)
)


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A layer to measure, and a repository of the registry that serves it.

    other_claims: what other manifests say of its size: the first claim is as likely
        to be the false one
    """

    layer: Layer
    repository: str
    other_claims: tuple[int, ...] = ()


def waiting_images(
    connection: Connection, registry_id: int, after: Place, most: int
) -> Sequence[Place]:
    """The registry's next live images without a total; fewer than `most` at the end.

    An image is named once for each repository that has it.
    """
    parameters = {
        "registry": registry_id,
        "repository": after.repository_id,
        "image": after.image_id,
    }
    found: list[Place] = []
    for statement in (_REST, _NEXT):
        if len(found) < most:
            limited = {**parameters, "most": most - len(found)}
            found += [Place(*row) for row in connection.execute(statement, limited)]
    return found


def waiting_of(
    connection: Connection, repository_id: int, digests: Collection[Digest]
) -> Sequence[Place]:
    """Those of these digests that are images without a total, served by this
    repository; of an index its children."""
    parameters = {"hashes": listed(map(raw, digests))}
    found: set[int] = set()
    for statement in (_THESE, _THEIR_CHILDREN):
        found |= set(connection.execute(statement, parameters).scalars())
    return [Place(repository_id, image_id) for image_id in sorted(found)]


def images_without_total(
    connection: Connection, after: int, most: int
) -> Sequence[int]:
    """The next images without a total, of any registry or of none."""
    parameters = {"image": after, "most": most}
    return list(connection.execute(_WITHOUT_TOTAL, parameters).scalars())


def unmeasured_layers(
    connection: Connection, places: Collection[Place], most: int
) -> list[Unmeasured]:
    """Layers of these images that have no measure yet, largest first; at most so
    many."""
    serving = {place.image_id: place.repository_id for place in places}
    parameters = {"ids": listed(sorted(serving)), "most": most}
    rows = connection.execute(_LAYERS, parameters).all()
    names = _texts(connection, _NAMES, {serving[row.image_id] for row in rows})
    types = _texts(connection, _TYPES, {row.media_type_id for row in rows} - {None})
    claims = _other_claims(connection, [row.id for row in rows if row.has_conflict])
    return [
        Unmeasured(
            Layer(
                media_type=types.get(row.media_type_id, ""),
                digest=row.digest,
                compressed_bytes=row.unmeasured_bytes,
                annotated_uncompressed_bytes=row.annotated_uncompressed_bytes,
            ),
            names[serving[row.image_id]],
            tuple(claims.get(row.id, ())),
        )
        for row in rows
    ]


def _texts(
    connection: Connection, statement: Select[int, str], ids: Collection[int]
) -> dict[int, str]:
    rows = connection.execute(statement, {"ids": listed(sorted(ids))})
    return {row[0]: row[1] for row in rows}


def _other_claims(
    connection: Connection, blob_ids: Sequence[int]
) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    if not blob_ids:
        return found
    for row in connection.execute(_CLAIMS, {"ids": listed(blob_ids)}):
        found.setdefault(row.blob_id, []).append(row.claimed_bytes)
    return found
