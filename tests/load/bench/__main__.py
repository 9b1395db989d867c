"""Runs the comparisons: `make bench`, or `python -m load.bench --help`."""

import argparse
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from load.bench import report
from load.bench.catalogue import COMPARISONS
from load.bench.machine import machine_facts
from load.bench.results import load, merged, save
from load.bench.scene import Options, Scene, say

_ROOT: Final = Path(__file__).parents[3]
_JSON: Final = _ROOT / "build" / "bench.json"
_SIZES: Final = (
    *("tags", "repositories", "replay-tags", "skopeo-tags", "ingest-tags"),
    *("small", "pushes"),
)
_PAGE: Final = _ROOT / "docs" / "benchmarks.md"


def main() -> None:
    """Run what was asked for, print it, keep it."""
    arguments = _parser().parse_args()
    chosen = [c for c in COMPARISONS if not arguments.only or c.name in arguments.only]
    options = _options(arguments)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory("-weighbridge-bench"))
        scene = Scene(options, Path(folder), stack)
        for comparison in chosen:
            say(f"== {comparison.name}: {comparison.title}")
            result = replace(
                comparison.run(scene),
                command=_command(comparison.name, options),
                date=datetime.now(UTC).date().isoformat(),
            )
            print(report.as_text(result), flush=True)
            results = merged(load(arguments.json), [result])
            save(results, arguments.json, machine_facts())
    if arguments.write:
        page = report.as_page(load(arguments.json), machine_facts())
        _PAGE.write_text(page, encoding="utf-8")
        say(f"wrote {_PAGE}")


def _command(name: str, options: Options) -> str:
    """What makes the figures of one comparison again, with every size not usual."""
    usual = asdict(Options())
    words = [f"make bench ONLY={name}"]
    flags: list[str] = []
    for key, value in asdict(options).items():
        if value == usual[key]:
            continue
        if key == "rounds":
            words.append(f"ROUNDS={value}")
            continue
        values = value if isinstance(value, tuple) else (value,)
        flags += [f"--{key.replace('_', '-')} {number}" for number in values]
    return " ".join(words + ([f'ARGS="{" ".join(flags)}"'] if flags else []))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    names = [comparison.name for comparison in COMPARISONS]
    defaults = Options()
    parser.add_argument("--only", action="append", choices=names, help="repeatable")
    parser.add_argument("--rounds", type=int, default=defaults.rounds)
    for name in _SIZES:
        default = getattr(defaults, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--series", type=int, action="append", help="repeatable")
    parser.add_argument("--scrape-s", type=int, default=defaults.scrape_s)
    parser.add_argument("--wrk-s", type=int, default=defaults.wrk_s)
    parser.add_argument(
        "--json", type=Path, default=_JSON, help="where results are kept"
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="rewrite docs/benchmarks.md from the results",
    )
    return parser


def _options(arguments: argparse.Namespace) -> Options:
    options = Options(
        rounds=arguments.rounds,
        tags=arguments.tags,
        repositories=arguments.repositories,
        replay_tags=arguments.replay_tags,
        skopeo_tags=arguments.skopeo_tags,
        ingest_tags=arguments.ingest_tags,
        small=arguments.small,
        pushes=arguments.pushes,
        scrape_s=arguments.scrape_s,
        wrk_s=arguments.wrk_s,
    )
    return (
        replace(options, series=tuple(arguments.series))
        if arguments.series
        else options
    )


if __name__ == "__main__":
    main()
