"""Prometheus rules with one number changed, to see whether their tests notice."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

# No part of a name, and no part of a longer number.
_NUMBER: Final = re.compile(r"(?<![\w.:])[0-9]+(?:\.[0-9]+)?(?![\w.])")
_MINUTES: Final = re.compile(r"([0-9]+)m")
_DURATIONS: Final = ("for", "keep_firing_for")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change.

    name:   which rule, which number, and what it became
    file:   the file that it is in
    text:   that file with the change
    alerts: those that it may change: the rule's own name, or, of a recording rule,
            the names of all that are made of its series
    """

    name: str
    file: str
    text: str
    alerts: tuple[str, ...]


def mutants(file: Path, users: Mapping[str, Sequence[str]]) -> Iterator[Mutant]:
    """Every number of every rule a little larger and a little smaller, and every
    duration a minute longer and shorter, or left out.

    users: the alerts that are made of each recorded series
    """
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    for group_number, group in enumerate(document["groups"]):
        for number, rule in enumerate(group["rules"]):
            for what, changed in _changes(rule):
                whole = copy.deepcopy(document)
                whole["groups"][group_number]["rules"][number] = changed
                name = str(rule.get("alert") or rule["record"])
                alerts = (name,) if "alert" in rule else tuple(users[name])
                text = yaml.safe_dump(whole, sort_keys=False)
                yield Mutant(f"{name} {number}: {what}", file.name, text, alerts)


def _changes(rule: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    expression = str(rule["expr"])
    for found in _NUMBER.finditer(expression):
        for other in _others(found[0]):
            changed = expression[: found.start()] + other + expression[found.end() :]
            yield f"{found[0]} to {other}", {**rule, "expr": changed}
    for key in _DURATIONS:
        minutes = _MINUTES.fullmatch(str(rule.get(key, "")))
        if minutes is None:
            assert key not in rule, f"{rule[key]} is not in minutes"
            continue
        for step in (1, -1):
            other = f"{int(minutes[1]) + step}m"
            yield f"{key} {minutes[0]} to {other}", {**rule, key: other}
        without = {name: value for name, value in rule.items() if name != key}
        yield f"no {key}", without


def _others(number: str) -> tuple[str, str]:
    """A whole number's neighbours; else 5 % more and less."""
    if "." not in number:
        return str(int(number) + 1), str(int(number) - 1)
    return f"{float(number) * 1.05:.6g}", f"{float(number) * 0.95:.6g}"
