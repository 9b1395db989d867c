"""Several processes share the pace of Docker Hub: of each of its hosts for itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.registry_client import an_endpoint
from weighbridge.bootstrap.docker_hub import docker_hub
from weighbridge.bootstrap.targets import Target
from weighbridge.ports import Pacing
from weighbridge.registry.endpoint import Endpoint
from weighbridge.telemetry import Telemetry


class NoPacing:
    """Lets everybody pass."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        yield

    async def pause(self, seconds: float) -> None:
        pass


async def test_the_api_s_pace_is_not_the_registry_s() -> None:
    """A minute that the API asks for would otherwise hold back the manifests."""
    shared: list[str] = []

    def share(endpoint: Endpoint) -> Pacing:
        shared.append(endpoint.name)
        return NoPacing()

    endpoint = an_endpoint(url="https://registry-1.docker.io")
    target = Target("hub", endpoint.url, None)

    hub = docker_hub(target, endpoint, Telemetry(), keep=0.5, share=share)
    await hub.aclose()

    assert shared == [f"{endpoint.name}:api"]
