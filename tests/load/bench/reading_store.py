"""An empty database, filled with repositories that were read whole.

python -m load.bench.reading_store DATABASE_URL REPOSITORIES
"""

import sys

from support.many_repositories import add_repositories
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database


def main(url: str, count: int) -> None:
    """All in one registry, `hub`, with 97 teams."""
    names = [f"team-{n % 97:02d}/service-{n:06d}" for n in range(count)]
    database = open_database(url)
    try:
        upgrade(database)
        add_repositories(database, names)
    finally:
        database.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
