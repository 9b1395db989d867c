"""What is known of manifests, as far as counting needs it."""

from collections.abc import Collection, Mapping
from typing import Final

from msgspec import Struct, field
from sqlalchemy import Connection, and_, bindparam, func, select

from weighbridge.domain.image.digest import Digest
from weighbridge.store.dialect import (
    Rows,
    among_ids,
    listed,
    probe_if_any,
    settles_at_once,
)
from weighbridge.store.ledger.blob_expressions import HAS_FACTS, IS_IMAGE
from weighbridge.store.models import (
    artifacts,
    blobs,
    images,
    index_members,
    repository_manifests,
)

_table = repository_manifests.c
# One statement and not four, so that all of it is of one moment.
_FACTS: Final = Rows(
    select(
        blobs.c.id,
        HAS_FACTS.label("has_facts"),
        IS_IMAGE.label("is_image"),
        func.coalesce(images.c.config_id, artifacts.c.config_id).label("config_id"),
        images.c.problems.is_not(None).label("has_problems"),
        index_members.c.child_id,
    )
    .select_from(
        probe_if_any(
            blobs,
            (images, images.c.id == blobs.c.id),
            (artifacts, artifacts.c.id == blobs.c.id),
            # Children of an index that was pruned are history: it leads nowhere now.
            (index_members, and_(index_members.c.index_id == blobs.c.id, HAS_FACTS)),
        )
    )
    .where(among_ids(blobs.c.id))
)
_KEEP_AS_IT_IS: Final = (
    select(blobs.c.id)
    .where(among_ids(blobs.c.id))
    .order_by(blobs.c.id)
    .with_for_update(read=True)
)
_LACKING: Final = (
    select(index_members.c.index_id)
    .join(blobs, blobs.c.id == index_members.c.child_id)
    .where(among_ids(index_members.c.index_id), ~HAS_FACTS)
    .distinct()
)
# Without a code: known to a crawl that listed it, and pruned before that was written.
_MISSING: Final = (
    select(
        blobs.c.digest,
        func.coalesce(blobs.c.facts_code, "child_missing").label("facts_code"),
    )
    .join_from(repository_manifests, blobs, blobs.c.id == _table.manifest_id)
    .where(
        _table.repository_id == bindparam("repository"),
        ~HAS_FACTS,
    )
    .order_by(blobs.c.id)
    .limit(bindparam("most"))
)


class ManifestFacts(Struct):
    """What is known of a manifest; nothing, where its document was never read.

    has_problems: of an image: its config may come late
    """

    has_facts: bool
    is_image: bool
    config_id: int | None
    has_problems: bool = False
    children: set[int] = field(default_factory=set)


def read_facts(
    connection: Connection, manifests: Collection[int]
) -> dict[int, ManifestFacts]:
    """What is known of these blobs as manifests."""
    found: dict[int, ManifestFacts] = {}
    if not manifests:
        return found
    rows = _FACTS.read(connection, {"ids": listed(sorted(manifests))})
    for manifest, has_facts, is_image, config_id, has_problems, child in rows:
        facts = found.get(manifest)
        if facts is None:
            facts = found[manifest] = ManifestFacts(
                has_facts, is_image, config_id, has_problems
            )
        if child is not None:
            facts.children.add(child)
    return found


def keep_lacking(
    connection: Connection,
    facts: Mapping[int, ManifestFacts],
    entering: Collection[int],
) -> dict[int, ManifestFacts]:
    """Lock what enters without facts, or without what a config says, and read it again:
    whoever brings that has committed by now, or will find us among the holders."""
    lacking = sorted(
        manifest
        for manifest in entering
        if (known := facts.get(manifest)) is not None
        and (known.has_problems or not known.has_facts)
    )
    if not lacking or settles_at_once(connection.dialect):
        return {}
    connection.execute(_KEEP_AS_IT_IS, {"ids": listed(lacking)})
    return read_facts(connection, lacking)


def find_lacking(connection: Connection, index_ids: Collection[int]) -> set[int]:
    """Those indexes of which a child's document is not kept."""
    if not index_ids:
        return set()
    rows = connection.execute(_LACKING, {"ids": listed(index_ids)})
    return set(rows.scalars())


def missing_manifests(
    connection: Connection, repository_id: int, most: int
) -> dict[Digest, str]:
    """Live manifests of a repository whose documents are not kept, with the code that
    says why; at most so many."""
    rows = connection.execute(_MISSING, {"repository": repository_id, "most": most})
    return {row.digest: row.facts_code for row in rows}
