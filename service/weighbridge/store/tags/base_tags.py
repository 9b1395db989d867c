"""What tags of base repositories lead to, kept among the names of bases."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection

from weighbridge.domain.image.digest import Digest
from weighbridge.store.bases.base_names import (
    BaseBuild,
    WrittenRepository,
    base_places,
    build_of,
    note_names,
)
from weighbridge.store.facts.interned import platform_ids
from weighbridge.store.facts.stored_images import Graph, load_graph, load_images


class LedTag(Struct, frozen=True):
    """Where a tag leads from now on. `target` None: it is gone."""

    repository_id: int
    name: str
    target: int | None


def note_base_tags(
    connection: Connection, tags: Iterable[LedTag], now: datetime
) -> None:
    """Keep what these tags lead to, those of them that are in base repositories; of a
    tag that comes twice the last.

    Elsewhere it costs one look-up of the repositories.
    """
    moved = {(tag.repository_id, tag.name): tag for tag in tags}
    repositories = {repository for repository, _ in moved}
    places = base_places(connection, repositories) if repositories else {}
    some = [tag for tag in moved.values() if tag.repository_id in places]
    if not some:
        return
    targets = {tag.target for tag in some if tag.target is not None}
    builds = _builds(connection, targets)
    leading: dict[WrittenRepository, dict[str, Sequence[BaseBuild]]] = {}
    for tag in some:
        led = builds[tag.target] if tag.target is not None else ()
        leading.setdefault(places[tag.repository_id], {})[tag.name] = led
    note_names(connection, leading, now)


def _builds(
    connection: Connection, targets: Iterable[int]
) -> Mapping[int, Sequence[BaseBuild]]:
    """The images that each target leads to, as bases."""
    graph = load_graph(connection, list(targets))
    ids = {n for target in targets for n in graph.images_of(target).values()}
    images = {n: stored.image for n, stored in load_images(connection, ids).items()}
    numbers = platform_ids(connection, (image.platform for image in images.values()))
    return {
        target: [
            build
            for image_id, index in _led_to(graph, target)
            if image_id in images
            and (image := images[image_id])
            and (build := build_of(image, image_id, numbers[image.platform], index))
        ]
        for target in targets
    }


def _led_to(graph: Graph, target: int) -> Iterator[tuple[int, Digest | None]]:
    for image_id in dict.fromkeys(graph.images_of(target).values()):
        yield image_id, None if image_id == target else graph.nodes[target].digest
