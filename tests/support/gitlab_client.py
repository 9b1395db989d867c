"""The client of GitLab's registry over handlers, for tests without a socket."""

from dataclasses import dataclass, field

import httpx

from support.fake_clock import FakeClock
from support.handler_connections import Handler, HandlerConnections
from support.registry_client import an_endpoint
from weighbridge.registry.kinds.gitlab.gitlab_api import GitLabAPI, Listed
from weighbridge.registry.kinds.gitlab.gitlab_registry import (
    GitLabRegistry,
    open_gitlab_api,
)
from weighbridge.registry.login.credentials import Credential
from weighbridge.telemetry import Telemetry

API = "https://lab.example"


@dataclass(slots=True)
class AskingGitLab:
    """A client of both hosts, with everything that a test looks at.

    of_api, of_registry: what each host was asked
    """

    registry: GitLabRegistry
    api: GitLabAPI
    of_api: HandlerConnections
    of_registry: HandlerConnections
    time: FakeClock = field(default_factory=FakeClock)

    async def tags(self, repository: str = "acme/shop/api") -> list[str]:
        """Names of all pages."""
        listing = self.registry.tags(repository)
        return [tag.name async for page in listing for tag in page.tags]


def _silent(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"nobody expected {request.method} {request.url}")


def asking_gitlab(
    api: Handler = _silent,
    registry: Handler = _silent,
    *,
    credential: Credential | None = None,
    token: Credential | None = None,
    listed: tuple[Listed, ...] = (),
    has_api: bool = True,
    api_url: str = API,
) -> AskingGitLab:
    """A host without a handler may not be asked. token: of the API"""
    time, telemetry = FakeClock(), Telemetry()
    asked = HandlerConnections(api), HandlerConnections(registry)
    endpoint = an_endpoint(url=api_url, credential=token)
    opened = open_gitlab_api(endpoint, asked[0], telemetry, time.clock)
    client = GitLabRegistry(
        an_endpoint(credential=credential),
        asked[1],
        telemetry,
        time.clock,
        opened if has_api else None,
        listed,
        has_api_token=token is not None,
    )
    return AskingGitLab(client, opened, *asked, time)
