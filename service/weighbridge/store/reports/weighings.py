"""The weighing of a tag or a digest, from what is stored: the value of `inspect`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, TypeAlias

from msgspec.structs import replace
from sqlalchemy import Connection, exists, or_, select

from weighbridge.domain.base.own_word import base_by_root
from weighbridge.domain.image.digest import Digest, short
from weighbridge.domain.image.platform import DEFAULT, Platform, differ, matches
from weighbridge.domain.size.weigh_image import weigh_image
from weighbridge.domain.size.weighing import (
    Other,
    WeighedImage,
    Weighing,
    doubts_of,
    other_platform_text,
    rfc3339,
    second_text,
)
from weighbridge.store.bases.image_bases import load_bases
from weighbridge.store.facts.stored_images import (
    Graph,
    StoredImage,
    headline,
    load_graph,
    load_images,
)
from weighbridge.store.models import (
    blobs,
    repository_manifests,
    tag_moves,
    tags,
)
from weighbridge.store.named_rows import find_place

MOST_IMAGES: Final = 16
"""Images of one index that are read together. The official ones have up to twelve; a
registry may list a thousand."""
_Subject: TypeAlias = tuple[int, tuple[str, ...]]
"""What is to be weighed, and what is odd about it before we look inside."""


def find_weighing(
    connection: Connection,
    registry: str,
    repository: str,
    *,
    tag: str | None = None,
    digest: Digest | None = None,
    platform: Platform | None = None,
    all_platforms: bool = False,
    platforms: Sequence[Platform] = (DEFAULT,),
    now: datetime,
) -> Weighing | None:
    """Weigh a tag or a digest of a repository; None where it is not known there.

    platform:      only images for this one, else the headline image
    all_platforms: every image, headline first; of more than MOST_IMAGES the first
    platforms:     in the order in which one of them speaks for an index
    """
    place = find_place(connection, registry, repository)
    if place is None:
        return None
    repository_id, scope_id = place
    name = tag or "latest"
    if digest is not None:
        subject = _by_digest(connection, repository_id, digest)
    else:
        subject = _by_tag(connection, repository_id, name)
    if subject is None:
        return None
    target, warnings = subject
    graph = load_graph(connection, [target], scope_id)
    node = graph.nodes[target]
    if node.state in ("none", "missing"):
        return None
    pulled = graph.images_of(target)
    first = headline(pulled, platforms)
    # The headline image first, the others ascending by platform.
    platforms_in_order = sorted(pulled, key=lambda p: (not first or p != first[0], p))
    order = {each: pulled[each] for each in platforms_in_order}
    if platform is None:
        wanted = dict(islice(order.items(), MOST_IMAGES if all_platforms else 1))
    else:
        wanted = {p: image for p, image in order.items() if matches(p, platform)}
    stored = load_images(connection, [*wanted.values()], scope_id)
    images = [stored[image] for image in wanted.values()]
    bases = load_bases(connection, stored, now)
    weighed = [
        weigh_image(one.image, one.measured).on_base(
            bases.get(n) or base_by_root(one.image)
        )
        for n, one in ((n, stored[n]) for n in wanted.values())
    ]
    asked = f":{name}" if digest is None else f"@{digest}"
    return Weighing(
        reference=f"{registry}/{repository}{asked}",
        registry=registry,
        repository=repository,
        tag=name if digest is None else None,
        digest=node.digest,
        media_type=node.media_type,
        kind=node.state,
        # As what is pulled for this platform, whatever its config calls itself.
        images=tuple(
            replace(one, platform=pulled_for)
            for pulled_for, one in zip(wanted, weighed, strict=True)
        ),
        platforms=_platforms(graph, target, tuple(order)),
        others=_others(graph, target),
        cost=None,
        warnings=(
            *warnings,
            *_not_found(order, platform),
            *_left_out(order, wanted, all_platforms=all_platforms),
            *_missing(graph, target),
            *_of_platforms(graph, target, wanted, stored),
            *doubts_of(map(_answered, weighed)),
            *_unanswered(images),
        ),
    )


def _by_tag(connection: Connection, repository_id: int, name: str) -> _Subject | None:
    row = connection.execute(
        select(tags).where(tags.c.repository_id == repository_id, tags.c.name == name)
    ).one_or_none()
    if row is None or row.target_id is None:
        return None
    warnings = []
    if row.deleted_at is not None:
        warnings.append(
            f"the tag is deleted since {rfc3339(row.deleted_at)};"
            " this is what it last held"
        )
    if row.error_code is not None:
        warnings.append(
            f"the tag could not be read since {rfc3339(row.error_at)} "
            f"({row.error_code}: {row.error_message}); these are its last good numbers"
        )
    return row.target_id, tuple(warnings)


def _by_digest(
    connection: Connection, repository_id: int, digest: Digest
) -> _Subject | None:
    """Only what is or was in this repository: another one's are not its to show."""
    is_live = exists().where(
        repository_manifests.c.repository_id == repository_id,
        repository_manifests.c.manifest_id == blobs.c.id,
    )
    was_tagged = exists().where(
        tags.c.repository_id == repository_id,
        tag_moves.c.tag_id == tags.c.id,
        tag_moves.c.target_id == blobs.c.id,
    )
    found = connection.execute(
        select(blobs.c.id, is_live.label("is_live")).where(
            blobs.c.digest == digest, or_(is_live, was_tagged)
        )
    ).one_or_none()
    if found is None:
        return None
    past = () if found.is_live else ("no tag leads to this digest any more",)
    return found.id, past


def _of_platforms(
    graph: Graph,
    target: int,
    wanted: Mapping[Platform, int],
    stored: Mapping[int, StoredImage],
) -> Iterator[str]:
    """What is odd about the platforms of an index."""
    pulled = graph.images_of(target)
    doubled = dict.fromkeys(each.platform for each in graph.passed_over(target))
    for platform in doubled:
        yield second_text(platform, graph.nodes[pulled[platform]].digest)
    for platform, image in wanted.items():
        said = stored[image].image.platform
        if differ(platform, said):
            yield other_platform_text(platform, said, stored[image].image.digest)


def _platforms(
    graph: Graph, target: int, order: tuple[Platform, ...]
) -> tuple[Platform, ...]:
    """Of the images that are here, then of those that an index lists besides."""
    listed = sorted(
        member.platform
        for member in graph.children_of(target)
        if member.role == "image"
        and member.platform is not None
        and graph.nodes[member.child_id].platform is None
        and graph.nodes[member.child_id].state != "artifact"
    )
    return tuple(dict.fromkeys((*order, *listed)))


def _others(graph: Graph, target: int) -> tuple[Other, ...]:
    """What is no image: below an index, or the target itself. An index may call an
    artifact an image; its own document decides. And images that are not pulled, as
    another one is listed for their platform."""
    itself = graph.nodes[target]
    if itself.state == "artifact":
        return (
            Other(itself.digest, itself.media_type, "artifact", itself.stored_bytes),
        )
    others = [
        Other(
            node.digest,
            node.media_type,
            "artifact" if member.role == "image" else member.role,
            node.stored_bytes,
        )
        for member in graph.children_of(target)
        if (node := graph.nodes[member.child_id])
        and node.platform is None
        and (member.role in ("attestation", "artifact") or node.state == "artifact")
    ]
    seconds = [graph.nodes[each.image] for each in graph.passed_over(target)]
    others += [Other(n.digest, n.media_type, "image", n.stored_bytes) for n in seconds]
    return tuple(others)


def _answered(image: WeighedImage) -> WeighedImage:
    """With those of its layers that the registry was asked about: of the others there
    is nothing to say yet."""
    asked = (y for y in image.layers if y.claim_reason != "not_asked")
    return replace(image, layers=tuple(asked))


def _unanswered(images: Sequence[StoredImage]) -> tuple[str, ...]:
    """Of layers that the registry was not asked about, those that documents disagree
    about."""
    digests = dict.fromkeys(d for image in images for d in image.conflicts)
    return tuple(
        f"{short(digest)}: documents disagree about its size, and the registry has not "
        "been asked yet; what this manifest says is shown"
        for digest in digests
    )


def _not_found(
    order: Mapping[Platform, int], platform: Platform | None
) -> tuple[str, ...]:
    if platform is None or any(matches(known, platform) for known in order):
        return ()
    known = ", ".join(map(str, order)) or "none"
    return (f"there is no image for {platform}; known platforms: {known}",)


def _left_out(
    order: Mapping[Platform, int],
    wanted: Mapping[Platform, int],
    *,
    all_platforms: bool,
) -> Iterator[str]:
    if all_platforms and len(wanted) < len(order):
        yield f"of {len(order):,} platforms the first {len(wanted):,} are shown"


def _missing(graph: Graph, target: int) -> Iterator[str]:
    for member in graph.children_of(target):
        node = graph.nodes[member.child_id]
        if node.state == "missing":
            what = f"{member.platform} " if member.platform else ""
            yield f"{what}{short(node.digest)} could not be read ({node.code})"
