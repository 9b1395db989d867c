"""Prometheus rules with one number changed, to see whether their tests notice."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

# No part of a name, and no part of a longer number.
_NUMBER: Final = re.compile(
    r"(?<![\w.:])(?P<digits>[0-9]+(?:\.[0-9]+)?)(?P<exponent>e[0-9]+)?(?![\w.])"
)
_RANGE: Final = re.compile(r"(?<=\[)(?P<digits>[0-9]+)(?P<unit>[smhdw])(?=\])")
_DURATION: Final = re.compile(r"([0-9]+)([mhd])")
_DURATIONS: Final = ("for", "keep_firing_for")
_MINUTES: Final = {"m": 1, "h": 60, "d": 1440}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change.

    name:   which rule, which number, and what it became
    rule:   the name of the rule
    file:   the file that it is in
    alerts: those that it may change: the rule's own name, or, of a recording rule,
            the names of all that are made of its series
    group:  the changed rule's group, without other alerts
    """

    name: str
    rule: str
    file: str
    alerts: tuple[str, ...]
    group: Mapping[str, object]

    @property
    def text(self) -> str:
        """That file with the change; of alerts only those of this name."""
        return str(yaml.safe_dump({"groups": [self.group]}, sort_keys=False))


def mutants(file: Path, users: Mapping[str, Sequence[str]]) -> Iterator[Mutant]:
    """Every number of every rule a little larger and a little smaller, every range of
    time too, and every duration a look longer and shorter, or left out.

    users: the alerts that are made of each recorded series
    """
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    for group in document["groups"]:
        for number, rule in enumerate(group["rules"]):
            name = str(rule.get("alert") or rule["record"])
            alerts = (name,) if "alert" in rule else tuple(users[name])
            for what, changed in _changes(rule):
                place = f"{group['name']} {number}"
                yield Mutant(
                    f"{name} {place}: {what}",
                    name,
                    file.name,
                    alerts,
                    _group(group, number, changed),
                )


def _group(
    group: dict[str, object], number: int, changed: dict[str, object]
) -> dict[str, object]:
    rules = group["rules"]
    assert isinstance(rules, list)
    others = [*rules[:number], changed, *rules[number + 1 :]]
    kept = [rule for rule in others if rule.get("alert") == changed.get("alert")]
    return {**group, "rules": kept}


def _changes(rule: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    expression = str(rule["expr"])
    for found in _found(expression):
        for digits in _others(found["digits"]):
            other = digits + found[0].removeprefix(found["digits"])
            changed = expression[: found.start()] + other + expression[found.end() :]
            yield f"{found[0]} to {other}", {**rule, "expr": changed}
    for key in _DURATIONS:
        if key not in rule:
            continue
        for other in _other_durations(str(rule[key])):
            yield f"{key} {rule[key]} to {other}", {**rule, key: other}
        without = {name: value for name, value in rule.items() if name != key}
        yield f"no {key}", without


def _found(expression: str) -> list[re.Match[str]]:
    """All numbers, in their order."""
    found = [*_NUMBER.finditer(expression), *_RANGE.finditer(expression)]
    return sorted(found, key=lambda each: each.start())


def _others(number: str) -> tuple[str, str]:
    """A whole number's neighbours; else 5 % more and less."""
    if "." not in number:
        return str(int(number) + 1), str(int(number) - 1)
    return f"{float(number) * 1.05:.6g}", f"{float(number) * 0.95:.6g}"


def _other_durations(duration: str) -> tuple[str, str]:
    """A minute more and less, or five where it is hours: the tests of such look every
    five minutes."""
    told = _DURATION.fullmatch(duration)
    assert told is not None, f"{duration} is not in minutes, hours or days"
    minutes = int(told[1]) * _MINUTES[told[2]]
    step = 1 if told[2] == "m" else 5
    return f"{minutes + step}m", f"{minutes - step}m"
