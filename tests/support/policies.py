"""Policies made in code, each as if from a file of its own."""

from typing import get_args

from weighbridge.domain.policy.policy import (
    DEFAULT_SEVERITY,
    KEYS,
    NO_POLICIES,
    KeyPlace,
    Limits,
    Match,
    Policy,
    Severity,
)
from weighbridge.engine.judge.judged_batch import Judging

NO_JUDGING = Judging(NO_POLICIES, is_silent=True)
"""Nothing is judged."""


def a_policy(name: str, match: Match | None = None, **values: object) -> Policy:
    """A policy that sets these keys, which are those of the configuration."""
    assert values.keys() <= set(KEYS)
    team, severity = values.get("team"), values.get("severity", DEFAULT_SEVERITY)
    growth = values.get("max_growth")
    assert team is None or isinstance(team, str)
    assert growth is None or isinstance(growth, float)
    limits = Limits(
        team=team,
        max_compressed_bytes=_whole(values.get("max_compressed")),
        max_uncompressed_bytes=_whole(values.get("max_uncompressed")),
        max_growth=growth,
        min_growth_bytes=_whole(values.get("min_growth")),
        max_layers=_whole(values.get("max_layers")),
        max_layer_compressed_bytes=_whole(values.get("max_layer_compressed")),
        allowed_bases=_patterns(values.get("allowed_bases")),
        max_base_age_s=_whole(values.get("max_base_age")),
        notify_base_moved=True if values.get("notify_base_moved") else None,
        max_deduplicated_bytes=_whole(values.get("max_deduplicated")),
        severity=_severity(severity),
    )
    lines = enumerate((key for key in KEYS if key in values), start=2)
    places = {key: KeyPlace(f"{name}.yaml", line) for line, key in lines}
    return Policy(name, match or Match(), limits, places)


def _whole(value: object) -> int | None:
    assert value is None or isinstance(value, int)
    return value


def _patterns(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    assert isinstance(value, list | tuple)
    return tuple(map(str, value))


def _severity(value: object) -> Severity:
    severities: tuple[Severity, ...] = get_args(Severity)
    return next(each for each in severities if each == value)
