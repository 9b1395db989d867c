"""Registry clients over handlers, for tests without a socket."""

from dataclasses import dataclass, field

import httpx

from support.fake_clock import FakeClock
from support.handler_connections import Handler, HandlerConnections
from weighbridge.domain.text.printable import Secret
from weighbridge.net.guard.addresses import Reach
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.login.credentials import Credential
from weighbridge.telemetry import Telemetry

REGISTRY_URL = "https://registry.example"
OWNER = Credential("owner", Secret("correct horse"))
IDENTITY = Credential("<token>", Secret("refresh-canary"))
"""What `docker login` keeps where the registry gave it an identity token."""


def an_endpoint(
    *,
    url: str = REGISTRY_URL,
    credential: Credential | None = None,
    trusted_realm_hosts: frozenset[str] = frozenset(),
    ceiling: Reach = Reach.PUBLIC,
) -> Endpoint:
    return Endpoint(
        name="shop",
        url=url,
        ceiling=ceiling,
        credential=credential,
        requests_per_second=None,
        trusted_realm_hosts=trusted_realm_hosts,
    )


@dataclass(slots=True)
class Asking:
    """A registry client with everything that a test looks at."""

    registry: DistributionRegistry
    connections: HandlerConnections
    telemetry: Telemetry
    time: FakeClock = field(default_factory=FakeClock)

    def sample(self, name: str, **labels: str) -> float | None:
        """A metric's value for this registry."""
        labels = {"registry": "shop"} | labels
        return self.telemetry.registry.get_sample_value(name, labels)


def asking(handler: Handler, endpoint: Endpoint | None = None) -> Asking:
    connections = HandlerConnections(handler)
    telemetry = Telemetry()
    time = FakeClock()
    registry = DistributionRegistry(
        an_endpoint() if endpoint is None else endpoint,
        connections,
        telemetry,
        clock=time.clock,
    )
    return Asking(registry, connections, telemetry, time)


def json_answer(text: str | bytes, **headers: str) -> httpx.Response:
    """A 200 with JSON; underscores in names of headers become dashes."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(
        200, content=text, headers={"content-type": "application/json"} | given
    )


def error_answer(status: int, code: str, message: str = "") -> httpx.Response:
    body = {"errors": [{"code": code, "message": message}]}
    return httpx.Response(status, json=body)
