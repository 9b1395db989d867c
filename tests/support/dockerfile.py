"""Reads a Dockerfile far enough to judge it."""

import json
import re
import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM and what follows it: (instruction, the rest of its line)."""

    instructions: tuple[tuple[str, str], ...]

    def every(self, name: str) -> list[str]:
        return [rest for found, rest in self.instructions if found == name]

    def words(self, name: str) -> list[str]:
        """The last instruction of this name, in its JSON form."""
        found: object = json.loads(self.every(name)[-1])
        assert isinstance(found, list)
        return [str(word) for word in found]

    def pairs(self, name: str) -> dict[str, str]:
        """All `key=value` of the instructions of this name."""
        words = (word for rest in self.every(name) for word in shlex.split(rest))
        return dict(word.split("=", 1) for word in words)


def stages_of(text: str) -> list[Stage]:
    """The stages; what stands before the first FROM is a stage of its own."""
    uncommented = re.sub(r"(?m)^\s*#.*\n", "", text)
    lines = re.sub(r"\\\n\s*", " ", uncommented).splitlines()
    stages: list[list[tuple[str, str]]] = [[]]
    for line in filter(str.strip, lines):
        name, rest = line.split(maxsplit=1)
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, rest.strip()))
    return [Stage(tuple(stage)) for stage in stages]
