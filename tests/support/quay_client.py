"""The client of Quay over handlers, for tests without a socket."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from support.fake_clock import FakeClock
from support.handler_connections import Handler, HandlerConnections
from support.registry_client import an_endpoint
from weighbridge.domain.text.printable import Secret
from weighbridge.registry.kinds.quay.quay_registry import QuayRegistry, open_quay_api
from weighbridge.registry.login.credentials import Credential
from weighbridge.telemetry import Telemetry

TOKEN = Secret("oauth-correct-battery")


@dataclass(slots=True)
class AskingQuay:
    """A client, with what its API and its registry were asked."""

    quay: QuayRegistry
    api: HandlerConnections
    registry: HandlerConnections
    time: FakeClock = field(default_factory=FakeClock)


def _silent(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"nobody expected {request.method} {request.url}")


def asking_quay(
    api: Handler = _silent,
    registry: Handler = _silent,
    *,
    token: Secret | None = None,
    credential: Credential | None = None,
    listed: Sequence[str] = ("acme",),
) -> AskingQuay:
    """One of the two without a handler may not be asked."""
    time, telemetry = FakeClock(), Telemetry()
    asked = HandlerConnections(api), HandlerConnections(registry)
    endpoint = an_endpoint(credential=credential)
    listings = open_quay_api(endpoint, token, asked[0], telemetry, time.clock)
    quay = QuayRegistry(endpoint, asked[1], telemetry, time.clock, listings, listed)
    return AskingQuay(quay, *asked, time)
