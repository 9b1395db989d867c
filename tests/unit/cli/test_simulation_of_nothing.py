"""Limits that are tried on nothing: a slip in a pattern is not taken for good news."""

from weighbridge.cli.actions import policies
from weighbridge.domain.policy.policy import Limits
from weighbridge.domain.policy.simulation import simulate_limits
from weighbridge.presentation.forms.screen import Screen


def test_that_nothing_fits_is_said() -> None:
    simulation = simulate_limits(Limits(max_layers=60), [])

    printed = policies.tried(simulation, "table", Screen())

    assert printed == "no repository that was crawled fits"
