"""Runs for long, with trouble or without: `make soak`, or `scripts/soak --help`."""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from load.soak.steady import steady
from load.soak.troubled import ROUND_S, Ended, a_round

_MINUTES: Final = 15.0
_STEADY_MINUTES: Final = 60.0


def main() -> None:
    """Exits with 1 where something was lost, made up, or grew; its logs then stay."""
    given = _parser().parse_args()
    usual = _STEADY_MINUTES if given.steady else _MINUTES
    seconds = 60 * float(os.environ.get("SOAK_MINUTES") or usual)
    seed = random.randrange(10**6) if given.seed is None else given.seed  # noqa: S311
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-soak-"))
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own.
    print(f"seed {seed}, {seconds / 60:g} minutes, logs in {folder}", flush=True)
    if given.steady:
        bad = steady(folder / "steady", seed, seconds, _tell)
    else:
        bad = _rounds(folder, seed, seconds)
    if bad:
        sys.exit(1)
    shutil.rmtree(folder)


def _rounds(folder: Path, seed: int, seconds: float) -> int:
    """Each with a seed of its own, so that one can be made again alone."""
    count, bad = max(1, round(seconds / ROUND_S)), 0
    for number in range(count):
        ended = a_round(
            folder / str(seed + number), seed + number, seconds / count, _tell
        )
        print(_shown(ended), flush=True)
        bad += bool(ended.wrong)
    return bad


def _shown(ended: Ended) -> str:
    faults = ", ".join(f"{name} {n}" for name, n in sorted(ended.faults.items()))
    restarts = ", ".join(f"{name} {n}" for name, n in sorted(ended.restarts.items()))
    lines = [
        f"seed {ended.seed}: {faults}",
        f"  started anew: {restarts or 'nothing'}; {ended.pushed} pushes",
        f"  caught up after {ended.caught_up_s:.0f} s",
        *(f"  WRONG {line}" for line in ended.wrong[:20]),
    ]
    if not ended.wrong:
        lines.append("  equal to a clean crawl, and every total verified")
    return "\n".join(lines)


def _tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="SOAK_MINUTES sets how long it takes; 15 minutes, or an hour.",
    )
    parser.add_argument("--seed", type=int, help="of the first round; else chance")
    parser.add_argument(
        "--steady", action="store_true", help="nothing fails; who grows?"
    )
    return parser


if __name__ == "__main__":
    main()
