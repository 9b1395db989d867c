"""The image that each target leads to on one platform, also of targets that were
pruned, and why there is none.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, select

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.platform import (
    ListedImage,
    Platform,
    choose,
    matches,
    pulled_as,
)
from weighbridge.domain.report.history import StepReason
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.facts.stored_images import Graph, headline, load_graph
from weighbridge.store.models import KEPT_STATES, images, index_members, platforms
from weighbridge.store.read_model.streams import StreamImage, read_images

_said = platforms.alias("said")
_listed = platforms.alias("listed")
_PLATFORM: Final = ("os", "architecture", "variant", "os_version")
_OF_INDEX: Final = Rows(
    select(
        index_members.c.index_id,
        index_members.c.position,
        index_members.c.child_id,
        *(_said.c[name].label(f"said_{name}") for name in _PLATFORM),
        *(_listed.c[name].label(f"listed_{name}") for name in _PLATFORM),
    )
    .join_from(index_members, images, images.c.id == index_members.c.child_id)
    .join(_said, _said.c.id == images.c.platform_id)
    .outerjoin(_listed, _listed.c.id == index_members.c.platform_id)
    .where(among_ids(index_members.c.index_id), index_members.c.role == "image")
)
_ITSELF: Final = Rows(
    select(images.c.id, *(_said.c[name] for name in _PLATFORM))
    .join_from(images, _said, _said.c.id == images.c.platform_id)
    .where(among_ids(images.c.id))
)


class TargetImage(Struct, frozen=True):
    """What a target is.

    kind:     image, index, artifact, unweighable; of what was pruned None
    platform: as which the image is pulled; None, as `image`, where there is none
    reason:   why there is none, or nothing but its size is known any more
    """

    digest: Digest
    kind: str | None
    platform: Platform | None
    image: StreamImage | None
    reason: StepReason | None


def target_images(
    connection: Connection,
    scope_id: int,
    targets: Collection[int],
    platform: Platform | None,
    shown: Sequence[Platform],
) -> dict[int, TargetImage]:
    """The image of each target in a storage scope.

    platform: None: the first of those that are shown for which there is one
    """
    graph = load_graph(connection, sorted(targets))
    pruned = {t for t in targets if graph.nodes[t].state not in KEPT_STATES}
    led = {t: graph.images_of(t) for t in targets if t not in pruned}
    led |= _pruned_images(connection, pruned)
    chosen = {t: _chosen(found, platform, shown) for t, found in led.items()}
    ids = {one[1] for one in chosen.values() if one is not None}
    known = read_images(connection, scope_id, ids)
    return {
        target: TargetImage(
            digest=graph.nodes[target].digest,
            kind=None if target in pruned else graph.nodes[target].state,
            platform=None if one is None else one[0],
            image=None if one is None else known.get(one[1]),
            reason=_reason(graph, target, led[target], one),
        )
        for target, one in chosen.items()
    }


def _chosen(
    found: Mapping[Platform, int],
    platform: Platform | None,
    shown: Sequence[Platform],
) -> tuple[Platform, int] | None:
    if platform is None:
        return headline(found, shown)
    return next((pair for pair in found.items() if matches(pair[0], platform)), None)


def _pruned_images(
    connection: Connection, targets: Collection[int]
) -> dict[int, dict[Platform, int]]:
    """By what is kept of them: the rows of images, and what an index listed."""
    found: dict[int, list[ListedImage[int]]] = {target: [] for target in targets}
    if not found:
        return {}
    parameters = {"ids": listed(sorted(found))}
    for image, *said in _ITSELF.read(connection, parameters):
        found[image].append(ListedImage(Platform(*said), (), image))
    for index, position, child, *both in _OF_INDEX.read(connection, parameters):
        said, entry = both[:4], both[4:]
        listed_as = None if entry[0] is None else Platform(*entry)
        platform = pulled_as(listed_as, Platform(*said))
        one = ListedImage(platform, ((listed_as, position),), child)
        found[index].append(one)
    return {target: choose(each)[0] for target, each in found.items()}


def _reason(
    graph: Graph,
    target: int,
    found: Mapping[Platform, int],
    chosen: tuple[Platform, int] | None,
) -> StepReason | None:
    if graph.nodes[target].state not in KEPT_STATES:
        return "pruned"
    if chosen is not None:
        return None
    if found:
        return "no_platform"
    is_awaited = any(
        graph.nodes[member.child_id].state == "missing"
        for member in graph.children_of(target)
        if member.role in ("image", "index")
    )
    return "not_read" if is_awaited else "no_image"
