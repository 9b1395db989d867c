"""Policies made in code, each as if from a file of its own."""

from typing import get_args

from weighbridge.domain.policy import (
    DEFAULT_SEVERITY,
    KEYS,
    Limits,
    Match,
    Place,
    Policy,
    Severity,
)


def a_policy(name: str, match: Match | None = None, **values: object) -> Policy:
    """A policy that sets these keys, which are those of the configuration."""
    assert values.keys() <= set(KEYS)
    team, severity = values.get("team"), values.get("severity", DEFAULT_SEVERITY)
    growth = values.get("max_growth")
    assert team is None or isinstance(team, str)
    assert growth is None or isinstance(growth, float)
    limits = Limits(
        team=team,
        max_compressed_bytes=_bytes(values.get("max_compressed")),
        max_uncompressed_bytes=_bytes(values.get("max_uncompressed")),
        max_growth=growth,
        min_growth_bytes=_bytes(values.get("min_growth")),
        severity=_severity(severity),
    )
    lines = enumerate((key for key in KEYS if key in values), start=2)
    places = {key: Place(f"{name}.yaml", line) for line, key in lines}
    return Policy(name, match or Match(), limits, places)


def _bytes(value: object) -> int | None:
    assert value is None or isinstance(value, int)
    return value


def _severity(value: object) -> Severity:
    severities: tuple[Severity, ...] = get_args(Severity)
    return next(each for each in severities if each == value)
