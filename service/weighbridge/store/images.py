"""Keeping what documents say: facts that never change, shared by all repositories."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from weighbridge.domain.digest import Digest
from weighbridge.domain.document import Artifact, Document, Image, Index
from weighbridge.store.blobs import StoredBlob, find_blobs, keep_blobs, set_states
from weighbridge.store.claims import claims_of
from weighbridge.store.dialect import insert_new
from weighbridge.store.interned import instruction_ids, platform_ids
from weighbridge.store.liveness import count_late
from weighbridge.store.models import artifacts, images, index_members, layers, lines
from weighbridge.store.types import bounded, microseconds

Ids = Mapping[Digest, StoredBlob]

_ADD_IMAGE: Final = insert_new(images)
_ADD_LAYER: Final = insert_new(layers)
_ADD_LINES: Final = insert_new(lines)
_ADD_MEMBER: Final = insert_new(index_members)
_ADD_ARTIFACT: Final = insert_new(artifacts)


def find_known(connection: Connection, digests: Collection[Digest]) -> set[Digest]:
    """Those digests whose documents are kept: they need no second fetch."""
    found = find_blobs(connection, digests)
    return {digest for digest, blob in found.items() if blob.has_facts}


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
    before, now = keep_blobs(connection, book)
    fresh = {
        document.digest: document
        for document in documents
        if (known := before.get(document.digest)) is None or not known.has_facts
    }
    _keep_images(connection, [d for d in fresh.values() if isinstance(d, Image)], now)
    _keep_indexes(connection, [d for d in fresh.values() if isinstance(d, Index)], now)
    _keep_artifacts(
        connection, [d for d in fresh.values() if isinstance(d, Artifact)], now
    )
    stated = [claim for claim in book.claims.values() if claim.state != "none"]
    set_states(connection, stated, now)
    count_late(connection, [now[d].id for d in fresh if d in before])


def _keep_images(connection: Connection, new: Sequence[Image], ids: Ids) -> None:
    if not new:
        return
    platforms = platform_ids(connection, (image.platform for image in new))
    texts = instruction_ids(
        connection, (line.instruction for image in new for line in image.lines)
    )
    connection.execute(
        _ADD_IMAGE,
        [_image_row(image, ids, platforms[image.platform]) for image in new],
    )
    layer_rows = [
        {"image_id": ids[image.digest].id, "position": n, "blob_id": ids[y.digest].id}
        for image in new
        for n, y in enumerate(image.layers)
    ]
    if layer_rows:
        connection.execute(_ADD_LAYER, layer_rows)
    connection.execute(
        _ADD_LINES,
        [
            {"image_id": ids[image.digest].id, "entries": _entries(image, texts)}
            for image in new
        ],
    )


def _image_row(image: Image, ids: Ids, platform_id: int) -> dict[str, object]:
    problems = [[problem.code, problem.message] for problem in image.problems]
    return {
        "id": ids[image.digest].id,
        "platform_id": platform_id,
        "config_id": ids[image.manifest.config.digest].id,
        "created_at": image.created_at,
        "compressed_bytes": bounded(image.compressed_bytes),
        "stored_bytes": bounded(image.stored_bytes),
        "layer_count": len(image.layers),
        "history_alignment": image.history_alignment,
        "problems": json.dumps(problems) if problems else None,
    }


def _entries(image: Image, texts: Mapping[str, int]) -> str:
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
        connection,
        (p for _, _, child in children if (p := child.descriptor.platform)),
    )
    rows = []
    for index, position, child in children:
        platform = child.descriptor.platform
        rows.append(
            {
                "index_id": ids[index.digest].id,
                "position": position,
                "child_id": ids[child.descriptor.digest].id,
                "role": child.role,
                "platform_id": None if platform is None else platforms[platform],
            }
        )
    connection.execute(_ADD_MEMBER, rows)


def _keep_artifacts(connection: Connection, new: Sequence[Artifact], ids: Ids) -> None:
    if not new:
        return
    rows = [
        {
            "id": ids[artifact.digest].id,
            "role": artifact.role,
            "artifact_type": artifact.artifact_type,
            "config_id": ids[artifact.config.digest].id if artifact.config else None,
            "stored_bytes": bounded(artifact.stored_bytes),
        }
        for artifact in new
    ]
    connection.execute(_ADD_ARTIFACT, rows)
    blob_rows = [
        {
            "image_id": ids[artifact.digest].id,
            "position": position,
            "blob_id": ids[blob.digest].id,
        }
        for artifact in new
        for position, blob in enumerate(artifact.blobs)
    ]
    if blob_rows:
        connection.execute(_ADD_LAYER, blob_rows)
