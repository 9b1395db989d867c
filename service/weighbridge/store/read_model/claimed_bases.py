"""Bases that nothing but annotations name, with how many images: the word of whoever
pushed them."""

from collections import Counter
from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, func, select

from weighbridge.domain.base.names import written
from weighbridge.domain.image.reference import parse_reference
from weighbridge.errors import InvalidReference
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import image_bases, repository_manifests

CLAIMED_AT_MOST: Final = 10_000
"""Names that nothing but annotations give: those with most images. Whoever pushes may
think of as many as he likes."""

_on = image_bases.c
_live = repository_manifests.c
_CLAIMS: Final = (
    select(_on.reference, func.count(_on.image_id.distinct()).label("images"))
    .select_from(
        image_bases.join(repository_manifests, _live.manifest_id == _on.image_id)
    )
    .where(
        _on.base_chain_id.is_(None),
        _on.reference.is_not(None),
        # Else the layers contradict it.
        _on.relation.is_not(None),
    )
    .group_by(_on.reference)
    .order_by(func.count(_on.image_id.distinct()).desc(), _on.reference)
    .limit(CLAIMED_AT_MOST)
)
_OF_THESE: Final = _CLAIMS.where(among_ids(_live.repository_id))


def claimed_bases(
    connection: Connection, repositories: Collection[int] | None = None
) -> Counter[str]:
    """Images by the base that nothing but their annotation gives them; of these
    repositories alone, None: of all."""
    given = {} if repositories is None else {"ids": listed(sorted(repositories))}
    claims = _CLAIMS if repositories is None else _OF_THESE
    found: Counter[str] = Counter()
    for row in connection.execute(claims, given):
        found[_as_written(row.reference)] += row.images
    return found


def _as_written(text: str) -> str:
    """What an annotation calls a base, as people write it in FROM. What is no reference
    stays as it is: a stranger's text."""
    try:
        found = parse_reference(text)
    except InvalidReference:
        return text
    if found.digest is not None or found.tag is None:
        return text
    return written(found.registry, found.repository, found.tag)
