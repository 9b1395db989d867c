"""Tags that are pushed while several processes work on one crawl of their repository.

Who has the claim looks at pushes. Whoever else keeps answers of the crawl leaves these
tags out: what it was told of them may be what was true before.
"""

import json
from collections.abc import Collection

from sqlalchemy import Connection, select, update

from weighbridge.store.models import crawls


def note_overtaken(
    connection: Connection, crawl_id: int, names: Collection[str]
) -> None:
    """Tags about which the registry was asked again since they were pushed: what
    others of the crawl were told of them before counts no more. The repository's row
    is locked."""
    connection.execute(
        update(crawls)
        .where(crawls.c.id == crawl_id)
        .values(overtaken=json.dumps(sorted(names)))
    )


def read_overtaken(connection: Connection, crawl_id: int) -> set[str]:
    """The same. The repository's row is locked: whoever noted them has committed, or
    finds what we keep."""
    names = connection.execute(
        select(crawls.c.overtaken).where(crawls.c.id == crawl_id)
    ).scalar()
    return set(json.loads(names)) if names else set()
