"""Policies that say whose repositories are whose, and a service that follows them."""

from collections.abc import Callable, Mapping

from starlette.testclient import TestClient

from support.read_model import NOW
from support.web_app import create_app
from weighbridge.domain.policy.policy import (
    KeyPlace,
    Limits,
    Match,
    Policy,
    PolicySet,
)
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions


def team_policies(teams: Mapping[str, str | None], tag: str = "*") -> PolicySet:
    """teams: by a pattern of repositories, in order"""
    return PolicySet(
        Policy(
            f"of {pattern}",
            Match(repository=pattern, tag=tag),
            Limits(team=team),
            {"team": KeyPlace()},
        )
        for pattern, team in teams.items()
    )


def a_service_of_teams(
    database: Database,
    policies: Callable[[], PolicySet],
    options: WebOptions | None = None,
) -> TestClient:
    """Reached over a network; for tokens."""
    reached = options or WebOptions(bind="0.0.0.0:8080", policies=policies)
    app = create_app(database, Telemetry(), reached, now=lambda: NOW)
    return TestClient(app, base_url="http://weighbridge.example")
