"""Writes all that is found in the recorded images as texts: `scripts/golden --help`.

FOLDER/WAY-DATABASE/NUMBER/ has a file for each table, list and command after each of
four crawls. Two commits that find the same write the same, so that `diff -r` compares
them; two ways and two databases of one commit as well, but for `report.json` of
`crawl`. FOLDER/costs/ says what each crawl took, which is never twice the same.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from load.golden.answers import write_answers
from load.golden.changes import changes
from load.golden.place import Place, a_place, make_all_due
from load.golden.plain import Plain
from load.golden.tables import write_tables
from load.golden.ways import WAYS, Cost, child_cpu
from support.database import Engine
from support.replica.changes import Change
from support.replica.dataset import dataset_content
from support.replica.process import Replica, dataset_replica


def main() -> None:
    """Crawl and write, for each way and database that is asked for."""
    given = _parser().parse_args()
    given.only = given.only or ["*"]
    content = dataset_content(given.only)
    for way in given.way or WAYS:
        for engine in given.database or get_args(Engine):
            out = given.folder / f"{way}-{engine}"
            shutil.rmtree(out, ignore_errors=True)
            costs = write(way, engine, changes(content), out, given.only)
            kept = given.folder / "costs" / f"{out.name}.json"
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(json.dumps(costs, indent=1) + "\n")


def write(
    way: str,
    engine: Engine,
    before_each: Sequence[Sequence[Change]],
    out: Path,
    only: Sequence[str],
) -> list[Cost]:
    """Crawl as often as there are changes, and write what was found after each.

    only: patterns of repositories
    """
    plain, costs = Plain(), []
    with (
        tempfile.TemporaryDirectory("-weighbridge-golden") as scratch,
        dataset_replica(only) as replica,
        a_place(Path(scratch), engine, replica.url) as place,
    ):
        for number, made in enumerate(before_each, start=1):
            replica.change(*made)
            costs.append(_crawl(WAYS[way], place, replica, plain, out / str(number)))
            write_tables(place.database, out / str(number) / "tables", plain)
            write_answers(place.configure({}), out / str(number) / "answers", plain)
            print(way, engine, number, costs[-1], flush=True)
    return costs


def _crawl(
    way: Callable[[Place], str],
    place: Place,
    replica: Replica,
    plain: Plain,
    out: Path,
) -> Cost:
    replica.reset_counts()
    make_all_due(place.database)
    began = time.monotonic()
    with child_cpu() as used:
        printed = way(place)
        cost: Cost = {
            "seconds": round(time.monotonic() - began, 2),
            "cpu": round(used(), 2),
            "requests": replica.counts(),
        }
    if printed:
        out.mkdir(parents=True)
        (out / "report.json").write_text(plain.unordered(json.loads(printed)) + "\n")
    return cost


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/golden", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--way", action="append", choices=list(WAYS), help="repeatable")
    parser.add_argument(
        "--database", action="append", choices=get_args(Engine), help="repeatable"
    )
    parser.add_argument(
        *("--only", "-o"),
        action="append",
        default=[],
        metavar="PATTERN",
        help="of the recorded repositories, such as 'repo-info-2018/h*'; all of them",
    )
    return parser


if __name__ == "__main__":
    main()
