"""Keeping what documents say: facts that never change, shared by all repositories.

The one way by which an image's facts change is a config that could not be had when the
image was kept, and was had later: what it says takes the place of nothing. The image's
sizes come from its manifest and stay.

For whoever prunes, manifests are noted that were touched since a pruning began. What
is kept or named anew has a newer id and so tells itself. Two things do not: facts that
come to a row that was there, and a tag that comes to a manifest and leaves it again, of
which only the tag's history is left.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from sqlalchemy import Connection, bindparam, delete, insert, or_, select

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import (
    Artifact,
    Document,
    Image,
    Index,
    Layer,
)
from weighbridge.store.bases.image_bases import (
    find_image_bases_anew,
    keep_image_bases,
)
from weighbridge.store.dialect import (
    BulkInsert,
    BulkUpdate,
    Purpose,
    among_ids,
    listed,
    lock,
)
from weighbridge.store.facts.blobs import (
    StoredBlob,
    claims_of,
    find_blobs,
    keep_blobs,
    note_read,
    set_states,
)
from weighbridge.store.facts.interned import (
    instruction_ids,
    media_type_ids,
    platform_ids,
)
from weighbridge.store.facts.stored_images import load_images
from weighbridge.store.ledger.counts import Growth, count
from weighbridge.store.ledger.liveness import count_late, find_lacking
from weighbridge.store.ledger.resizing import count_new_images
from weighbridge.store.models import (
    artifacts,
    blobs,
    images,
    index_members,
    layers,
    lines,
    repository_manifests,
    touched_manifests,
)
from weighbridge.store.models.types import bounded, bounded_if_known, microseconds
from weighbridge.store.session import lock_repositories

Ids: TypeAlias = Mapping[Digest, StoredBlob]

_IMAGES: Final = BulkInsert(
    images,
    "id",
    "platform_id",
    "config_id",
    "created_at",
    "compressed_bytes",
    "stored_bytes",
    "layer_count",
    "history_alignment",
    "problems",
)
_LAYERS: Final = BulkInsert(
    layers,
    "image_id",
    "position",
    "is_foreign",
    "blob_id",
    "claimed_bytes",
    "media_type_id",
    "annotated_uncompressed_bytes",
)
_LINES: Final = BulkInsert(lines, "image_id", "entries")
_MEMBERS: Final = BulkInsert(
    index_members, "index_id", "position", "child_id", "role", "platform_id"
)
_ARTIFACTS: Final = BulkInsert(
    artifacts, "id", "role", "artifact_type", "config_id", "stored_bytes"
)


def find_known(connection: Connection, digests: Collection[Digest]) -> set[Digest]:
    """Those digests whose documents are kept whole: they need no second fetch.

    An index with a child that could not be read is not: another repository, or
    another day, may have the child.
    """
    found = {d: b for d, b in find_blobs(connection, digests).items() if b.has_facts}
    indexes = [blob.id for blob in found.values() if blob.state == "index"]
    lacking = find_lacking(connection, indexes)
    return {digest for digest, blob in found.items() if blob.id not in lacking}


def keep_documents(
    connection: Connection,
    documents: Sequence[Document],
    missing: Mapping[Digest, str],
) -> None:
    """Keep the facts of documents; those that are kept already stay as they are.

    missing: children of an index that could not be read, with the code that says
        why. Once such a child can be read, it and all below it are counted wherever
        its index is live.
    """
    book = claims_of(documents, missing)
    # What is found now is not pruned before what refers to it is there.
    lock(connection, Purpose.PRUNE, shared=True)
    types = media_type_ids(connection, book.media_types)
    before, now = keep_blobs(connection, book, types)
    fresh = {
        document.digest: document
        for document in documents
        if (known := before.get(document.digest)) is None or not known.has_facts
    }
    found = [d for d in fresh.values() if isinstance(d, Image)]
    _keep_images(connection, found, now, types)
    _keep_indexes(connection, [d for d in fresh.values() if isinstance(d, Index)], now)
    _keep_artifacts(
        connection, [d for d in fresh.values() if isinstance(d, Artifact)], now, types
    )
    stated = [claim for claim in book.claims.values() if claim.state != "none"]
    late = set(set_states(connection, stated, now))
    touch(connection, late)
    new = {now[d].id for d, document in fresh.items() if isinstance(document, Image)}
    count_new_images(connection, new & late)
    count_late(connection, sorted(late))


def _keep_images(
    connection: Connection, new: Sequence[Image], ids: Ids, types: Mapping[str, int]
) -> None:
    if not new:
        return
    platforms = platform_ids(connection, (image.platform for image in new))
    texts = instruction_ids(
        connection, (line.instruction for image in new for line in image.lines)
    )
    rows = [_image_row(image, ids, platforms[image.platform]) for image in new]
    _IMAGES.add(connection, rows)
    _LAYERS.add(
        connection,
        [
            row
            for image in new
            for row in _layer_rows(image.digest, image.layers, ids, types)
        ],
    )
    _LINES.add(
        connection,
        [(ids[image.digest].id, line_entries(image, texts)) for image in new],
    )
    numbers = {image.digest: ids[image.digest].id for image in new}
    keep_image_bases(connection, new, numbers, platforms)


def _image_row(image: Image, ids: Ids, platform_id: int) -> tuple[object, ...]:
    manifest = image.manifest
    return (
        ids[image.digest].id,
        platform_id,
        ids[manifest.config.digest].id,
        image.created_at,
        bounded(image.compressed_bytes),
        bounded(image.stored_bytes),
        len(image.layers),
        image.history_alignment,
        problems_text(image),
    )


def problems_text(image: Image) -> str | None:
    """An image's problems as its row keeps them."""
    problems = [[problem.code, problem.message] for problem in image.problems]
    return json.dumps(problems) if problems else None


def _layer_rows(
    manifest: Digest, blobs: Sequence[Layer], ids: Ids, types: Mapping[str, int]
) -> list[tuple[object, ...]]:
    manifest_id = ids[manifest].id
    return [
        (
            manifest_id,
            n,
            blob.is_foreign,
            ids[blob.digest].id,
            _claimed(blob, ids),
            _own_type(types[blob.media_type], ids[blob.digest]),
            bounded_if_known(blob.annotated_uncompressed_bytes),
        )
        for n, blob in enumerate(blobs)
    ]


def _own_type(media_type_id: int, blob: StoredBlob) -> int | None:
    """A blob's media type by this manifest, where that is not the one of its row."""
    return None if media_type_id == blob.media_type_id else media_type_id


def _claimed(blob: Layer, ids: Ids) -> int | None:
    """What a manifest says of a blob's size, where another one said otherwise first.

    A size belongs to the manifest that states it: totals are made of its own claims.
    """
    first = ids[blob.digest].compressed_bytes
    return None if first == blob.compressed_bytes else blob.compressed_bytes


def line_entries(image: Image, texts: Mapping[str, int]) -> str:
    """An image's lines as its row keeps them; `texts`: the ids of instructions."""
    entries = [
        [
            texts[line.instruction],
            None if line.created_at is None else microseconds(line.created_at),
            line.layer,
        ]
        for line in image.lines
    ]
    return json.dumps(entries, separators=(",", ":"))


def _keep_indexes(connection: Connection, new: Sequence[Index], ids: Ids) -> None:
    children = [(index, n, c) for index in new for n, c in enumerate(index.children)]
    if not children:
        return
    platforms = platform_ids(
        connection, (p for _, _, child in children if (p := child.descriptor.platform))
    )
    rows = [
        (
            ids[index.digest].id,
            position,
            ids[child.descriptor.digest].id,
            child.role,
            platforms[p] if (p := child.descriptor.platform) else None,
        )
        for index, position, child in children
    ]
    _MEMBERS.add(connection, rows)


def _keep_artifacts(
    connection: Connection, new: Sequence[Artifact], ids: Ids, types: Mapping[str, int]
) -> None:
    rows = [
        (
            ids[artifact.digest].id,
            artifact.role,
            artifact.artifact_type,
            ids[artifact.config.digest].id if artifact.config else None,
            bounded(artifact.stored_bytes),
        )
        for artifact in new
    ]
    _ARTIFACTS.add(connection, rows)
    _LAYERS.add(
        connection,
        [
            row
            for item in new
            for row in _layer_rows(item.digest, item.blobs, ids, types)
        ],
    )


PASSING: Final = ("config_missing", "config_size_mismatch", "digest_mismatch")
"""Problems of a config that lie in one answer: another may go well."""

_live = repository_manifests.c
_LACKING: Final = (
    select(images.c.id)
    .join_from(repository_manifests, images, images.c.id == _live.manifest_id)
    .where(
        _live.repository_id == bindparam("repository"),
        images.c.problems.is_not(None),
        # The config's problem comes first, see `problems_text`.
        or_(
            *(
                images.c.problems.startswith(f'[["{code}"', autoescape=True)
                for code in PASSING
            )
        ),
    )
    .order_by(images.c.id)
    .limit(bindparam("most"))
)
_HOLDERS: Final = (
    select(_live.repository_id).where(among_ids(_live.manifest_id)).distinct()
)
_LOCK: Final = (
    select(blobs.c.id)
    .where(among_ids(blobs.c.id))
    .order_by(blobs.c.id)
    .with_for_update()
)
_FACTS_ANEW: Final = BulkUpdate(
    images,
    key=("id",),
    values=("platform_id", "created_at", "history_alignment", "problems"),
)
_LINES_ANEW: Final = BulkUpdate(lines, key=("image_id",), values=("entries",))


def images_without_config(
    connection: Connection, repository_id: int, most: int
) -> list[Image]:
    """Live images of a repository whose config may be had now; at most so many."""
    parameters = {"repository": repository_id, "most": most}
    ids = list(connection.execute(_LACKING, parameters).scalars())
    found = load_images(connection, ids) if ids else {}
    return [stored.image for stored in found.values()]


def keep_configs(connection: Connection, found: Sequence[Image]) -> None:
    """Let these images be what their configs say; every repository that has one of
    them is to be summed up anew."""
    # As in `keep_documents`: what is found now stays.
    lock(connection, Purpose.PRUNE, shared=True)
    ids = {
        d: b.id for d, b in find_blobs(connection, [i.digest for i in found]).items()
    }
    # One that was forgotten meanwhile is nobody's.
    found = [image for image in found if image.digest in ids]
    parameters = {"ids": listed(sorted(ids.values()))}
    configs = [image.manifest.config for image in found if not image.problems]
    rows = find_blobs(connection, [config.digest for config in configs])
    locked = {*ids.values(), *(blob.id for blob in rows.values())}
    # A batch with which one of them enters has committed by then, or waits for us.
    connection.execute(_LOCK, {"ids": listed(sorted(locked))})
    note_read(connection, configs)
    holders = set(connection.execute(_HOLDERS, parameters).scalars())
    lock_repositories(connection, holders)
    platforms = platform_ids(connection, (image.platform for image in found))
    texts = instruction_ids(
        connection, (line.instruction for image in found for line in image.lines)
    )
    _FACTS_ANEW.set(
        connection,
        [
            (
                ids[image.digest],
                platforms[image.platform],
                image.created_at,
                image.history_alignment,
                problems_text(image),
            )
            for image in found
        ],
    )
    _LINES_ANEW.set(
        connection, [(ids[image.digest], line_entries(image, texts)) for image in found]
    )
    images_anew = {ids[image.digest]: image for image in found}
    find_image_bases_anew(connection, images_anew, platforms)
    count(connection, {repository: Growth() for repository in holders})


_touched = touched_manifests.c
_TOUCH: Final = BulkInsert(touched_manifests, "manifest_id")
_MARK: Final = insert(touched_manifests).values(manifest_id=None)
_SINCE: Final = select(_touched.id, _touched.manifest_id).where(
    _touched.id >= bindparam("mark")
)
_FORGET: Final = delete(touched_manifests).where(_touched.id < bindparam("mark"))


def touch(connection: Connection, manifest_ids: Collection[int]) -> None:
    """Note manifests that no pruning which is under way may remove."""
    if manifest_ids:
        _TOUCH.add(connection, [(manifest,) for manifest in sorted(manifest_ids)])


def set_mark(connection: Connection) -> int:
    """A mark behind all that was touched before; nobody may write beside us."""
    (mark,) = connection.execute(_MARK).inserted_primary_key or (0,)
    return int(mark)


def touched_since(connection: Connection, mark: int) -> set[int] | None:
    """Manifests that were touched after a mark. None: nobody knows, as the pruning
    that set the mark was overtaken by another one, which took it away."""
    rows = connection.execute(_SINCE, {"mark": mark}).all()
    if mark not in {number for number, _ in rows}:
        return None
    return {manifest for _, manifest in rows if manifest is not None}


def forget_touched(connection: Connection, mark: int) -> None:
    """Remove what was noted before a mark: no pruning from before it is under way."""
    connection.execute(_FORGET, {"mark": mark})
