"""Questions in PromQL.

Several processes that serve one database export the same inventory, so gauges are
taken with `max by`, and limits with `min by`: while a reload travels from process to
process, the stricter one holds. Counters are of one process each: rates are summed,
but for those that every service reads from one place.
"""

from dataclasses import dataclass
from typing import Final

WINDOW: Final = "$__rate_interval"
RANGE: Final = "$__range"
OF_REPOSITORY: Final = ("registry", "repository")
OF_REGISTRY: Final = ("registry",)


@dataclass(frozen=True, slots=True)
class Selection:
    """Series of one kind: their matchers, and the labels that tell them apart."""

    matchers: str
    labels: tuple[str, ...] = ()

    def latest(self, metric: str) -> str:
        """A gauge, once for each set of labels."""
        return f"max{self._by()} ({self.of(metric)})"

    def at_the_end(self, metric: str) -> str:
        """A gauge as it is at the end of the shown time."""
        return f"max{self._by()} ({self.of(metric)} @ end())"

    def least(self, metric: str) -> str:
        """A gauge of which the lowest counts, such as a limit."""
        return f"min{self._by()} ({self.of(metric)})"

    def age(self, metric: str) -> str:
        """Seconds since a moment that a gauge tells."""
        return f"time() - {self.latest(metric)}"

    def rate(self, metric: str, *labels: str) -> str:
        """Events in a second, summed over processes."""
        return f"sum by ({', '.join(labels)}) (rate({self.of(metric)}[{WINDOW}]))"

    def increase(self, metric: str) -> str:
        """Events within the shown time, over all."""
        return f"sum (increase({self.of(metric)}[{RANGE}]))"

    def common_rate(self, metric: str, *labels: str) -> str:
        """The same of a counter that every process shows for all of them."""
        return f"max by ({', '.join(labels)}) (rate({self.of(metric)}[{WINDOW}]))"

    def common_increase(self, metric: str, *labels: str) -> str:
        """The same, within the shown time, over all."""
        increase = f"increase({self.of(metric)}[{RANGE}])"
        return f"sum (max by ({', '.join(labels)}) ({increase}))"

    def of(self, metric: str) -> str:
        return f"{metric}{{{self.matchers}}}"

    def by(self, label: str) -> "Selection":
        """The same series, told apart by this label alone."""
        return Selection(self.matchers, (label,))

    def _by(self) -> str:
        return f" by ({', '.join(self.labels)})" if self.labels else ""


def only(expression: str, wanted: str, labels: tuple[str, ...]) -> str:
    """Those series of `expression` whose labels are among the wanted ones."""
    return f"{expression} and on ({', '.join(labels)}) ({wanted})"


def or_none(events: str, known: str, labels: tuple[str, ...]) -> str:
    """Those that happen, and where none does a 0 of the reason `none`; nothing where
    nothing is known."""
    none = f'label_replace (0 * {known}, "reason", "none", "", "")'
    return f"{events} > 0 or on ({', '.join(labels)}) {none}"


def count_or_zero(expression: str, known: str) -> str:
    """How many, and 0 where there could be some; nothing where nothing is known."""
    return f"count ({expression}) or 0 * count ({known})"
