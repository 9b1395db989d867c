"""Write the dashboards: python3 deploy/grafana/generate.py [--help]."""

import argparse
from pathlib import Path
from typing import Final

from dashboard_builders.overview import overview
from dashboard_builders.repository import repository
from dashboard_builders.written import written

_HERE: Final = Path(__file__).parent
_ADDRESS: Final = "http://127.0.0.1:8080"


def main() -> None:
    """Write one file for each dashboard, over what was there."""
    parser = argparse.ArgumentParser(description="Write the Grafana dashboards.")
    parser.add_argument(
        "--external-url",
        default=_ADDRESS,
        metavar="URL",
        help="where people see the pages of Weighbridge (%(default)s)",
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=_HERE / "dashboards",
        metavar="FOLDER",
        help="where the files go (%(default)s)",
    )
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    for dashboard in (overview, repository):
        made = dashboard(options.external_url.rstrip("/"))
        (options.to / f"{made['uid']}.json").write_text(written(made), encoding="utf-8")


if __name__ == "__main__":
    main()
