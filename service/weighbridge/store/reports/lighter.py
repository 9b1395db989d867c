"""What would make a stored image lighter."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, select

from weighbridge.domain.advice.advice import advise
from weighbridge.domain.advice.commit_tags import commit_of
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.report.lighter import Lighter
from weighbridge.domain.size.weighing import Weighing
from weighbridge.store.models import blobs, tags
from weighbridge.store.named_rows import find_place

_COMMIT_TAGS: Final = 1_000
"""Tags of one commit that are looked at."""


def find_lighter(connection: Connection, weighing: Weighing) -> Sequence[Lighter]:
    """Of each image of a weighing of what is stored."""
    found = _commit_tags(connection, weighing)
    return [
        Lighter(advise(image, tag=weighing.tag, tags=found))
        for image in weighing.images
    ]


def _commit_tags(connection: Connection, weighing: Weighing) -> Mapping[str, Digest]:
    """The tags of the repository that are named after the commit of the tag that was
    weighed, each with what it points to."""
    commit = None if weighing.tag is None else commit_of(weighing.tag)
    place = find_place(connection, weighing.registry, weighing.repository)
    if commit is None or place is None:
        return {}
    statement = (
        select(tags.c.name, blobs.c.digest)
        .join(blobs, blobs.c.id == tags.c.target_id)
        .where(
            tags.c.repository_id == place.id,
            tags.c.deleted_at.is_(None),
            tags.c.name.contains(commit, autoescape=True),
        )
        .limit(_COMMIT_TAGS)
    )
    return {row.name: row.digest for row in connection.execute(statement)}
