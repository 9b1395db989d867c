"""The client of GitHub's container registry over handlers, for tests without a
socket."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from support.fake_clock import FakeClock
from support.handler_connections import Handler, HandlerConnections
from support.registry_client import an_endpoint
from weighbridge.registry.kinds.ghcr.ghcr_api import OwnerKind
from weighbridge.registry.kinds.ghcr.ghcr_registry import (
    GHCRRegistry,
    open_package_api,
)
from weighbridge.registry.login.credentials import Credential
from weighbridge.telemetry import Telemetry

API = "https://api.github.com"
ACME: Final[Mapping[str, OwnerKind]] = {"acme": "orgs"}


@dataclass(slots=True)
class AskingGitHub:
    """A client of both hosts, with everything that a test looks at.

    api, registry: what each host was asked
    """

    github: GHCRRegistry
    api: HandlerConnections
    registry: HandlerConnections
    time: FakeClock

    async def tags(self, repository: str = "acme/app") -> list[str]:
        """The names of all pages."""
        pages = self.github.tags(repository)
        return [tag.name async for page in pages for tag in page.tags]

    async def repositories(self) -> list[str]:
        pages = self.github.repositories()
        return [name async for page in pages for name in page.names]


def _silent(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"nobody expected {request.method} {request.url}")


def asking_github(
    api: Handler = _silent,
    registry: Handler = _silent,
    *,
    credential: Credential | None = None,
    api_url: str = API,
    owners: Mapping[str, OwnerKind] = ACME,
) -> AskingGitHub:
    """A host without a handler may not be asked."""
    time, telemetry = FakeClock(), Telemetry()
    asked = HandlerConnections(api), HandlerConnections(registry)
    endpoint = an_endpoint(url=api_url, credential=credential)
    listings = open_package_api(endpoint, asked[0], telemetry, time.clock)
    github = GHCRRegistry(
        an_endpoint(credential=credential),
        asked[1],
        telemetry,
        time.clock,
        listings,
        owners,
    )
    return AskingGitHub(github, *asked, time)
