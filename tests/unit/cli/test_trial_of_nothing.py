"""Limits that are tried on nothing: a slip in a pattern is not taken for good news."""

from weighbridge.cli import trial_output
from weighbridge.cli.screen import Screen
from weighbridge.domain.policy import Limits
from weighbridge.domain.trial import try_limits


def test_that_nothing_fits_is_said() -> None:
    trial = try_limits(Limits(max_layers=60), [])

    printed = trial_output.tried(trial, "table", Screen())

    assert printed == "no repository that was crawled fits"
