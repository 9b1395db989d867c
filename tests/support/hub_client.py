"""The client of Docker Hub over handlers, for tests without a socket."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs

import httpx

from support.fake_clock import FakeClock
from support.handler_connections import Handler, HandlerConnections
from support.registry_client import an_endpoint
from weighbridge.registry.kinds.dockerhub.hub_api import HubAPI
from weighbridge.registry.kinds.dockerhub.hub_registry import (
    HubRegistry,
    PullQuota,
    open_hub_api,
)
from weighbridge.registry.login.credentials import Credential
from weighbridge.telemetry import Telemetry

API = "https://hub.example"


@dataclass(slots=True)
class AskingHub:
    """A client of both hosts, with everything that a test looks at.

    api, registry: what each host was asked
    """

    hub: HubRegistry
    listings: HubAPI
    api: HandlerConnections
    registry: HandlerConnections
    time: FakeClock = field(default_factory=FakeClock)


def _silent(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"nobody expected {request.method} {request.url}")


def asking_hub(
    api: Handler = _silent,
    registry: Handler = _silent,
    *,
    credential: Credential | None = None,
    keep: float = 0.5,
    namespaces: tuple[str, ...] = (),
) -> AskingHub:
    """A host without a handler may not be asked."""
    time, telemetry = FakeClock(), Telemetry()
    asked = HandlerConnections(api), HandlerConnections(registry)
    api_endpoint = an_endpoint(url=API, credential=credential)
    listings = open_hub_api(api_endpoint, asked[0], telemetry, time.clock)
    quota = PullQuota(keep, time.clock)
    hub = HubRegistry(
        an_endpoint(credential=credential),
        asked[1],
        telemetry,
        time.clock,
        listings,
        quota,
        namespaces,
    )
    return AskingHub(hub, listings, *asked, time)


def page_asked(request: httpx.Request) -> int:
    """The number of the page that a request is for."""
    return int(parse_qs(request.url.query.decode())["page"][0])
