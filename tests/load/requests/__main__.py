"""Counts requests of crawls by operation: `make requests`, `scripts/requests --help`.
Exits with 1 where a limit is missed, and where the page says something else."""

import argparse
import sys
from pathlib import Path
from typing import Final

from load.requests import page
from load.requests.counted import Counted, count
from load.requests.ways import WAYS

PAGE: Final = Path(__file__).parents[3] / "docs" / "registries.md"


def main() -> int:
    arguments = _parser().parse_args()
    chosen = [w for w in WAYS if not arguments.only or w.name in arguments.only]
    counted: list[Counted] = []
    for way in chosen:
        print(f"counting: {way.name}", file=sys.stderr, flush=True)
        counted.append(count(way))
    text = page.as_text(counted)
    print(text)
    if arguments.write:
        PAGE.write_text(page.replaced(PAGE.read_text("utf-8"), text), "utf-8")
        print(f"wrote {PAGE}", file=sys.stderr)
    differing: list[str] = []
    if arguments.check:
        differing = page.differences(page.stored(PAGE.read_text("utf-8")), text)
        for line in differing:
            print(line, file=sys.stderr)
        if differing:
            print(f"{PAGE}: `make requests WRITE=1` writes it", file=sys.stderr)
    missed = [one.way.name for one in counted if one.is_missed]
    if missed:
        print(f"MISSED: {', '.join(missed)}", file=sys.stderr)
    return int(bool(missed or differing))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/requests", description=__doc__)
    names = [way.name for way in WAYS]
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--only",
        action="append",
        choices=names,
        help="count one kind, write nothing; repeatable",
    )
    one.add_argument("--write", action="store_true", help=f"rewrite {PAGE.name}")
    one.add_argument("--check", action="store_true", help=f"compare with {PAGE.name}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
