"""Results as text for a terminal, and as docs/benchmarks.md."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from load.bench.catalogue import COMPARISONS
from load.bench.comparison import Comparison
from load.bench.results import Figure, Result

_HEAD: Final = """\
# Benchmarks

How fast Weighbridge is, beside other tools and beside what the other side can give.
This page is written by `make bench WRITE=1`; every section names the command that makes
its figures again.

All contenders of a comparison run in turn within each round, on the same machine and
against the same server. A figure is min / **median** / max over the rounds; a ratio or
a share is made of two values of the same round, and then taken over the rounds. Client
and server share the machine's cores, so that absolute rates say little about other
machines; the ratios travel better, CPU seconds best.
"""
_RUNNING: Final = """\
## Running it

```console
$ make bench                        # everything; about {minutes} minutes on two cores
$ make bench ONLY=cold-crawl        # one comparison
$ make bench ROUNDS=9 WRITE=1       # more rounds, and rewrite this page
```

Results are also kept as JSON in `build/bench.json`. `scripts/bench --help` names the
sizes that can be changed.
"""
_MINUTES: Final = 150


def as_text(result: Result) -> str:
    """A table for a terminal."""
    rows = [("", "min", "median", "max", "", "")]
    for figure in result.figures:
        low, middle, high = map(number, (figure.low, figure.middle, figure.high))
        rows.append((figure.name, low, middle, high, figure.unit, _verdict(figure)))
    widths = [max(len(row[at]) for row in rows) for at in range(6)]
    lines = [
        "  ".join(
            cell.rjust(width) if 0 < at < 4 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines += [f"  {place}  {share} %" for place, share in result.profile[:12]]
    return "\n".join(lines) + "\n"


def as_page(results: Sequence[Result], facts: Mapping[str, str]) -> str:
    """The whole page, with every comparison that has a result."""
    by_name = {result.name: result for result in results}
    shown = [(c, by_name[c.name]) for c in COMPARISONS if c.name in by_name]
    parts = [
        _HEAD,
        _facts(facts),
        _targets(result for _, result in shown),
        *(_section(comparison, result) for comparison, result in shown),
        _RUNNING.format(minutes=_MINUTES),
    ]
    return "\n".join(parts)


def number(value: float) -> str:
    """Three digits that count, more where they stand before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _facts(facts: Mapping[str, str]) -> str:
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return f"| measured on | |\n|---|---|\n{rows}\n"


def _targets(results: Iterable[Result]) -> str:
    rows = [
        f"| {f.name} (`{result.command}`) | {_aim(f)} | {_three(f)} "
        f"| {'**no**' if f.is_missed else 'yes'} |"
        for result in results
        for f in result.figures
        if f.sense
    ]
    head = "| target | aim | min / median / max | reached |\n|---|---|---|---|"
    return "\n".join(["## Targets", "", head, *rows, ""])


def _section(comparison: Comparison, result: Result) -> str:
    rows = [
        f"| {f.name} | {number(f.low)} | **{number(f.middle)}** | {number(f.high)} "
        f"| {f.unit} | {_aim(f)} |"
        for f in result.figures
    ]
    notes = [f"- {note}" for note in result.notes]
    return "\n".join(
        [
            f"## {comparison.title}",
            "",
            f"`{result.command}` ({result.rounds} rounds, {result.date})",
            "",
            comparison.about,
            "",
            "| what | min | median | max | unit | aim |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            *notes,
            *_missed(result),
            "",
        ]
    )


def _missed(result: Result) -> list[str]:
    """What holds a missed target back, where a profile was taken."""
    missed = [figure for figure in result.figures if figure.is_missed]
    if not missed or not result.profile:
        return []
    names = ", ".join(f"{f.name} ({_three(f)}, aim {_aim(f)})" for f in missed)
    shares = [f"| {place} | {share} % |" for place, share in result.profile]
    return [
        "",
        f"Not reached: {names}.",
        "Where the CPU time went meanwhile, start-up left out: the innermost file of",
        "ours, and after a colon what it had called.",
        "",
        "| where | share |",
        "|---|---|",
        *shares,
    ]


def _verdict(figure: Figure) -> str:
    if not figure.sense:
        return ""
    return f"{_aim(figure)} {'MISSED' if figure.is_missed else 'reached'}"


def _aim(figure: Figure) -> str:
    if not figure.sense:
        return ""
    words = "at least" if figure.sense == ">=" else "at most"
    unit = (
        " %"
        if figure.unit == "%"
        else ""
        if figure.unit == "times"
        else f" {figure.unit}"
    )
    return f"{words} {number(figure.target)}{unit}"


def _three(figure: Figure) -> str:
    values = map(number, (figure.low, figure.middle, figure.high))
    return " / ".join(values) + f" {figure.unit}"
