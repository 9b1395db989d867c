"""Reads from the configured database what was kept of images that a person named."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from weighbridge.bootstrap.databases import checked_database
from weighbridge.bootstrap.one_image.image_check import NamedImage
from weighbridge.bootstrap.registries.targets import address_of
from weighbridge.config import Settings
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.image.reference import Reference, parse_reference
from weighbridge.domain.size.weighing import Weighing
from weighbridge.errors import StoreError
from weighbridge.store.registries.registry_rows import names_at
from weighbridge.store.reports.inventory import registry_names
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
    """None where it was not crawled, or nothing of it can be compared."""
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
    return None


def _readings(
    connection: Connection, item: NamedImage
) -> Iterator[tuple[str, Reference]]:
    """What it may be called there: as it was written, where that begins with the name
    of a registry that was crawled; else by its address, of several entries the one
    that is meant first."""
    first, slash, _ = item.text.partition("/")
    if slash and first in registry_names(connection):
        yield first, parse_reference(item.text, frozenset({first}))
    names = names_at(connection, address_of(item.target.url))
    for name in sorted(names, key=lambda name: name != item.target.name):
        yield name, item.reference
