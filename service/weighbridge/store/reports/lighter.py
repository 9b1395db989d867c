"""What would make a stored image lighter."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Executable, select

from weighbridge.domain.advice.advice import advise
from weighbridge.domain.advice.commit_tags import commit_of
from weighbridge.domain.base.savings import Saving
from weighbridge.domain.image.digest import Digest, raw
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.domain.report.lighter import Lighter, base_layers
from weighbridge.domain.size.weighing import WeighedImage, Weighing
from weighbridge.store.bases.known_bases import references_of
from weighbridge.store.bases.variant_finder import names_of_bases
from weighbridge.store.dialect import among_bytes, listed
from weighbridge.store.models import base_names, blobs, image_bases, tags
from weighbridge.store.named_rows import find_place
from weighbridge.store.reports.savings import find_savings

_COMMIT_TAGS: Final = 1_000
"""Tags of one commit that are looked at."""
_STANDING: Final = (
    select(blobs.c.digest, image_bases.c.base_chain_id)
    .join(image_bases, image_bases.c.image_id == blobs.c.id)
    .where(among_bytes(blobs.c.digest), image_bases.c.base_chain_id.is_not(None))
)
_ARE_BASES: Final = (
    select(base_names.c.digest, base_names.c.base_chain_id)
    .where(among_bytes(base_names.c.digest))
    .distinct()
    .order_by(base_names.c.base_chain_id)
)


def find_lighter(
    connection: Connection,
    weighing: Weighing,
    now: datetime,
    *,
    in_part: Collection[str] = (),
    chains: Mapping[Digest, Sequence[int]] | None = None,
) -> Sequence[Lighter]:
    """Of each image of a weighing.

    in_part: the registries of which tags are left out
    chains:  what its images stand on, where they are not stored
    """
    found = _commit_tags(connection, weighing)
    if chains is None:
        digests = [image.digest for image in weighing.images]
        chains = _chains(connection, _STANDING, digests)
    savings = _savings(connection, weighing, now, chains, in_part)
    return [
        Lighter(
            advise(image, base_layers(image), tag=weighing.tag, tags=found),
            savings.get(image.digest),
        )
        for image in weighing.images
    ]


def _savings(
    connection: Connection,
    weighing: Weighing,
    now: datetime,
    standing: Mapping[Digest, Sequence[int]],
    in_part: Collection[str],
) -> dict[Digest, list[Saving]]:
    """By image, most first: on variants of what it stands on, and of what it is itself
    where others stand on it. Those of which neither is known are left out."""
    images = {image.digest: image for image in weighing.images}
    itself = _chains(connection, _ARE_BASES, images)
    names = _names_of_these(connection, weighing, itself, now)
    found: dict[Digest, list[Saving]] = {}
    for digest, image in images.items():
        bases: dict[int, ImageBase] = {}
        if image.base is not None and image.base.relation == "base":
            bases |= dict.fromkeys(standing.get(digest, ()), image.base)
        for chain in itself.get(digest, ()):
            if chain in names:
                bases[chain] = _as_base(image, names[chain])
        if bases:
            savings = find_savings(connection, bases, in_part).values()
            found[digest] = sorted(
                (saving for some in savings for saving in some),
                key=lambda each: (-each.saved_bytes, each.variant.reference),
            )
    return found


def _chains(
    connection: Connection,
    statement: Executable,
    digests: Collection[Digest],
) -> dict[Digest, list[int]]:
    found: dict[Digest, list[int]] = {}
    hashes = listed([raw(digest) for digest in digests])
    for row in connection.execute(statement, {"hashes": hashes}):
        found.setdefault(row.digest, []).append(row.base_chain_id)
    return found


def _names_of_these(
    connection: Connection,
    weighing: Weighing,
    itself: Mapping[Digest, Collection[int]],
    now: datetime,
) -> dict[int, str]:
    """What images that are bases are called: as they were asked for, if that is one of
    their names, else as people write them."""
    chains = {chain for some in itself.values() for chain in some}
    found = {
        n: chosen for n, (chosen, _) in references_of(connection, chains, now).items()
    }
    for chain, names in names_of_bases(connection, chains).items():
        for name in names:
            if (name.repository, name.tag) == (weighing.repository, weighing.tag):
                found[chain] = name.reference
    return found


def _as_base(image: WeighedImage, reference: str) -> ImageBase:
    """The whole image, as those that stand on it have it."""
    return ImageBase(
        reference=reference,
        also=(),
        layers=len(image.layers),
        compressed_bytes=image.compressed_bytes,
        share=None,
        relation="base",
        found_by="layers",
    )


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
