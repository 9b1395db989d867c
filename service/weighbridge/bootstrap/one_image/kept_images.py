"""Reads from the configured database what was kept of images that a person named."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from weighbridge.bootstrap.databases import checked_database
from weighbridge.bootstrap.one_image.image_check import NamedImage, NotWeighed
from weighbridge.bootstrap.registries.targets import address_of
from weighbridge.config import Settings
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.image.reference import Reference, parse_reference
from weighbridge.domain.size.weighing import Weighing
from weighbridge.errors import NotFound, StoreError, WeighbridgeError
from weighbridge.store.named_rows import find_place
from weighbridge.store.registries.registry_rows import names_at
from weighbridge.store.reports.inventory import registry_names
from weighbridge.store.reports.nearest import nearest_repositories, nearest_tags
from weighbridge.store.reports.weighings import find_weighing
from weighbridge.store.session import Connection


def weighings_in_database(
    settings: Settings,
    items: Sequence[NamedImage],
    platform: Platform | None,
    *,
    must_be_read: bool,
) -> tuple[dict[str, Weighing], str]:
    """Those that were crawled, by how they were asked for, and why there are none
    where a database is there.

    must_be_read: raise StoreError for a database that cannot be
    Raises NotWeighed, with the nearest names, for what has the name of a registry that
    only the database knows: nobody else can be asked about it.
    """
    try:
        with (
            checked_database(settings) as database,
            database.read() as connection,
        ):
            found = {each.text: _find(connection, each, platform) for each in items}
    except StoreError as exc:
        if must_be_read:
            raise
        if exc.code == "no_database":
            return {}, ""
        return {}, f"the database cannot be read: {exc.message}"
    return {text: weighing for text, weighing in found.items() if weighing}, ""


def _find(
    connection: Connection, item: NamedImage, platform: Platform | None
) -> Weighing | None:
    """None where it was not crawled, or nothing of it can be compared, and its registry
    can be asked."""
    configured = item.target.settings
    for name, reference in _readings(connection, item):
        found = find_weighing(
            connection,
            name,
            reference.repository,
            tag=None if reference.digest else reference.tag,
            digest=reference.digest,
            platform=platform,
            all_platforms=True,
            platforms=(DEFAULT,) if configured is None else configured.platforms,
            now=datetime.now(UTC),
        )
        if found is not None and found.images:
            return found
        if name == _own_name(connection, item) and configured is None:
            raise NotWeighed(_unknown(connection, name, reference, found), item.text)
    return None


def _unknown(
    connection: Connection, name: str, reference: Reference, found: Weighing | None
) -> WeighbridgeError:
    """Why there is no image of a registry that only the database knows."""
    whole, tag = f"{name}/{reference.repository}", reference.tag
    if found is not None:
        known = ", ".join(map(str, found.platforms))
        hint = f"it has  {known}" if known else ""
        return NotFound(
            "it has no such image that could be read", code="image_not_found", hint=hint
        )
    if find_place(connection, name, reference.repository) is None:
        near = nearest_repositories(connection, name, reference.repository)
        message, code = f"{whole} was never crawled", "repository_not_found"
    elif reference.digest or tag is None:
        near, message = [], f"{whole} never had this digest"
        code = "image_not_found"
    else:
        near = nearest_tags(connection, name, reference.repository, tag)
        message, code = f"{whole} never had a tag {tag}", "tag_not_found"
    return NotFound(message, code=code, hint=f"nearest  {', '.join(near)}" * bool(near))


def _readings(
    connection: Connection, item: NamedImage
) -> Iterator[tuple[str, Reference]]:
    """What it may be called there: as it was written, where that begins with the name
    of a registry that was crawled; else by its address, of several entries the one
    that is meant first."""
    if own := _own_name(connection, item):
        yield own, parse_reference(item.text, frozenset({own}))
    names = names_at(connection, address_of(item.target.url))
    for name in sorted(names, key=lambda name: name != item.target.name):
        yield name, item.reference


def _own_name(connection: Connection, item: NamedImage) -> str:
    """The registry that was crawled and whose name it begins with, "" for none."""
    first, slash, _ = item.text.partition("/")
    return first if slash and first in registry_names(connection) else ""
