"""What every file of a comparison offers: a name, words, and a function."""

from collections.abc import Callable
from dataclasses import dataclass

from load.bench.results import Result
from load.bench.scene import Scene


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison.

    title, about: its section in docs/benchmarks.md; `about` says what each contender
                  does, and what differs
    """

    name: str
    title: str
    about: str
    run: Callable[[Scene], Result]
