"""Reads from the configured database which images were before one."""

from collections.abc import Sequence
from datetime import UTC, datetime

from weighbridge.bootstrap.databases import checked_database
from weighbridge.bootstrap.registries.targets import Target, address_of
from weighbridge.config import Settings
from weighbridge.domain.check.image_check import Earlier, EarlierImage
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.image.reference import Reference
from weighbridge.errors import StoreError
from weighbridge.store.reports.inventory import registry_reports
from weighbridge.store.reports.tags import knows_images, recent_images
from weighbridge.store.session import Connection


def earlier_in_database(
    settings: Settings,
    target: Target,
    reference: Reference,
    platforms: Sequence[Platform],
    *,
    must_be_read: bool,
) -> Earlier:
    """What was crawled of the stream of this tag before.

    platforms:    those that are asked for
    must_be_read: raise StoreError for a database that cannot be; else that is why
                  nothing is known
    """
    try:
        with (
            checked_database(settings) as database,
            database.read() as connection,
        ):
            return _found(connection, target, reference, platforms)
    except StoreError as exc:
        if must_be_read:
            raise
        if exc.code == "no_database":
            return Earlier()
        return Earlier(why=f"the database cannot be read: {exc.message}")


def _found(
    connection: Connection,
    target: Target,
    reference: Reference,
    platforms: Sequence[Platform],
) -> Earlier:
    known = {address_of(r.url): r.name for r in registry_reports(connection)}
    name = known.get(address_of(target.url))
    if name is None:
        return Earlier(why=f"{target.name} was not crawled into the database")
    repository, tag = reference.repository, reference.tag or ""
    now = datetime.now(UTC)
    recent = recent_images(connection, name, repository, tag, platforms, now)
    images: dict[str, list[EarlierImage]] = {}
    for each in recent:
        earlier = EarlierImage(each.digest, each.compressed_bytes)
        images.setdefault(each.platform, []).append(earlier)
    return Earlier(
        images,
        is_known=knows_images(connection, name, repository),
        platforms=frozenset(map(str, platforms)),
        why=f"{name}/{repository} was not crawled to its end yet",
    )
