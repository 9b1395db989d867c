"""What a client takes: weights in `Accept` and `Accept-Encoding` (RFC 9110 12.4.2)."""

import re
from collections.abc import Sequence
from typing import Final

_WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def prefers(sent: Sequence[str], name: str, usual: str) -> bool:
    """Whether the client names the one by its name, does not forbid it by `;q=0`, and
    does not like what we send else better.

    sent:        all values of `Accept` or `Accept-Encoding`
    name, usual: media types without parameters, or content codings, in lower case
    """
    weights = _weights(",".join(sent))
    weight = weights.get(name, 0.0)
    return weight > 0 and weight >= weights.get(usual, 0.0)


def _weights(header: str) -> dict[str, float]:
    """By name. Named twice, as with two versions of a type, the higher one counts."""
    found: dict[str, float] = {}
    for item in header.split(","):
        name, *parameters = item.split(";")
        name = name.strip().lower()
        found[name] = max(_weight(parameters), found.get(name, 0.0))
    return found


def _weight(parameters: Sequence[str]) -> float:
    """1 where none is said. What is no weight is 0: nobody gets by it what may be
    forbidden."""
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            value = value.strip()
            return float(value) if _WEIGHT.fullmatch(value) else 0.0
    return 1.0
