"""Configs that could not be had when their image was kept, and were had later.

The one way by which an image's facts change: what its config says takes the place of
nothing. Its sizes come from its manifest and stay.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, or_, select

from weighbridge.domain.image.document import Image
from weighbridge.store.dialect import BulkUpdate, Purpose, among_ids, listed, lock
from weighbridge.store.facts.blobs import find_blobs, note_read
from weighbridge.store.facts.images import line_entries, problems_text
from weighbridge.store.facts.interned import instruction_ids, platform_ids
from weighbridge.store.facts.stored_images import load_images
from weighbridge.store.ledger.counts import Growth, count
from weighbridge.store.locks import lock_repositories
from weighbridge.store.models import blobs, images, lines, repository_manifests

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
_FACTS: Final = BulkUpdate(
    images,
    key=("id",),
    values=("platform_id", "created_at", "history_alignment", "problems"),
)
_LINES: Final = BulkUpdate(lines, key=("image_id",), values=("entries",))


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
    # As in `images.keep_documents`: what is found now stays.
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
    _FACTS.set(
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
    _LINES.set(
        connection, [(ids[image.digest], line_entries(image, texts)) for image in found]
    )
    count(connection, {repository: Growth() for repository in holders})
