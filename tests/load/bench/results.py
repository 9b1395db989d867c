"""What a comparison found: a value a round, and ratios of values of one round."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Literal, TypeAlias

Sense: TypeAlias = Literal["", ">=", "<="]


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured, once a round.

    sense, target: what its median is to reach; no sense where there is no target
    """

    name: str
    unit: str
    values: tuple[float, ...]
    sense: Sense = ""
    target: float = 0.0

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def middle(self) -> float:
        return median(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    @property
    def is_missed(self) -> bool:
        """Whether there is a target and the median does not reach it."""
        if self.sense == ">=":
            return self.middle < self.target
        return self.sense == "<=" and self.middle > self.target


def ratio(
    name: str,
    above: Figure,
    below: Figure,
    *,
    sense: Sense = "",
    target: float = 0.0,
    percent: bool = False,
) -> Figure:
    """`above` over `below`, each value with the one of its own round."""
    scale = 100.0 if percent else 1.0
    pairs = zip(above.values, below.values, strict=True)
    values = tuple(scale * a / b for a, b in pairs)
    return Figure(name, "%" if percent else "times", values, sense, target)


@dataclass(frozen=True, slots=True)
class Result:
    """All figures of one comparison.

    name:    as it is named on the command line
    notes:   what differs between the contenders, measured facts that are no rounds
    profile: where our process spent its time: (place, percent of busy samples)
    command: what makes these figures again; date: when they were made
    """

    name: str
    rounds: int
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    profile: tuple[tuple[str, float], ...] = ()
    command: str = ""
    date: str = ""


class Tally:
    """Collects the rounds of one comparison; the first round says the order."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[float]] = {}

    def note(self, name: str, unit: str, value: float) -> None:
        """One round's value."""
        self._values.setdefault((name, unit), []).append(value)

    def figure(
        self, name: str, unit: str, *, sense: Sense = "", target: float = 0.0
    ) -> Figure:
        return Figure(name, unit, tuple(self._values[name, unit]), sense, target)

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(self.figure(name, unit) for name, unit in self._values)


def save(results: Sequence[Result], path: Path, facts: dict[str, str]) -> None:
    """Write results and the facts of the machine as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"facts": facts, "results": [asdict(result) for result in results]}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> list[Result]:
    """What `save` wrote; nothing where there is no such file."""
    if not path.exists():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    return [_result(entry) for entry in document["results"]]


def merged(before: Sequence[Result], now: Sequence[Result]) -> list[Result]:
    """The newest result of each comparison."""
    return list(({r.name: r for r in before} | {r.name: r for r in now}).values())


def _result(entry: dict[str, object]) -> Result:
    figures, notes, profile = entry["figures"], entry["notes"], entry["profile"]
    assert isinstance(figures, list)
    assert isinstance(notes, list)
    assert isinstance(profile, list)
    assert isinstance(entry["rounds"], int)
    return Result(
        name=str(entry["name"]),
        rounds=entry["rounds"],
        figures=tuple(
            Figure(f["name"], f["unit"], tuple(f["values"]), f["sense"], f["target"])
            for f in figures
        ),
        notes=tuple(map(str, notes)),
        profile=tuple((str(place), float(share)) for place, share in profile),
        command=str(entry["command"]),
        date=str(entry["date"]),
    )
