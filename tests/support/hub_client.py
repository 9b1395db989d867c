"""The client of Docker Hub over handlers, for tests without a socket."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs

import httpx

from support.fake_clock import FakeClock
from support.handler_transport import Handler, HandlerTransport
from support.registry_client import an_endpoint
from weighbridge.registry.client import RegistryClient
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.dockerhub.hub_api import HubAPI
from weighbridge.registry.kinds.dockerhub.hub_quota import HUB_WORDS, PullQuota
from weighbridge.registry.kinds.dockerhub.hub_registry import HubRegistry
from weighbridge.registry.kinds.dockerhub.hub_sign_in import HubSignIn
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
    api: HandlerTransport
    registry: HandlerTransport
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
    transports = HandlerTransport(api), HandlerTransport(registry)
    api_endpoint = an_endpoint(url=API, credential=credential)
    client = RegistryClient(
        api_endpoint,
        transports[0],
        telemetry,
        time.clock,
        sign_in=lambda try_token: HubSignIn(API, credential, try_token, time.clock),
        words=HUB_WORDS,
    )
    quota = PullQuota(keep, time.clock)
    plain = DistributionRegistry(
        an_endpoint(credential=credential),
        transports[1],
        telemetry,
        clock=time.clock,
        on_answer=quota.saw,
        words=HUB_WORDS,
    )
    listings = HubAPI(client, API)
    hub = HubRegistry(plain, listings, quota, namespaces)
    return AskingHub(hub, listings, *transports, time)


def page_asked(request: httpx.Request) -> int:
    """The number of the page that a request is for."""
    return int(parse_qs(request.url.query.decode())["page"][0])
