"""The web application over a database, in a process of its own.

    python -m load.bench.snapshot_server DATABASE_URL MAX_SERIES

It prints its port, and ends when its standard input does.
"""

import sys

from support.web_app import create_app
from support.web_service import served
from weighbridge.domain.series_budget import Budget
from weighbridge.store.session import open_database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions


def main(url: str, max_series: int) -> None:
    """Serve until standard input ends."""
    database = open_database(url)
    options = WebOptions(budget=Budget(max_series))
    with served(create_app(database, Telemetry(), options)) as address:
        print(address.rpartition(":")[2], flush=True)
        sys.stdin.read()
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
