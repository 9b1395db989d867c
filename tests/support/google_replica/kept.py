"""What a crawl of the replica has kept."""

from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import open_database


def digests(database_url: str, repository: str) -> dict[str, str]:
    """Of each tag that has one."""
    database = open_database(database_url)
    try:
        with database.read() as connection:
            page = tag_page(connection, "google", repository, limit=1000)
        return {tag.name: str(tag.digest) for tag in page.items if tag.digest}
    finally:
        database.close()


def live(database_url: str, repository: str) -> set[str]:
    """The tags that are not gone."""
    database = open_database(database_url)
    try:
        with database.read() as connection:
            page = tag_page(connection, "google", repository, limit=1000)
        return {tag.name for tag in page.items if tag.deleted_at is None}
    finally:
        database.close()
