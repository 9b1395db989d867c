"""Limits that are tried on nothing: a slip in a pattern is not taken for good news."""

from weighbridge.domain.policy.policy import Limits
from weighbridge.domain.policy.simulation import try_limits
from weighbridge.presentation.forms.screen import Screen
from weighbridge.presentation.reports import simulation_output


def test_that_nothing_fits_is_said() -> None:
    trial = try_limits(Limits(max_layers=60), [])

    printed = simulation_output.tried(trial, "table", Screen())

    assert printed == "no repository that was crawled fits"
