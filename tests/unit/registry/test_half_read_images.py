"""What is half read is finished first: a kill costs all that is not."""

import asyncio

import httpx
from msgspec.structs import replace

from support.fake_clock import FakeClock
from support.handler_connections import HandlerConnections
from support.registry_client import an_endpoint
from weighbridge.domain.image.digest import digest_of
from weighbridge.net.http1.answer import HTTPAnswer
from weighbridge.net.http1.head import HTTPRequest
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.telemetry import Telemetry

CONFIG = b"{}"


class Unhurried(HandlerConnections):
    """Lets others come between a question and its answer."""

    async def send(self, request: HTTPRequest) -> HTTPAnswer:
        await asyncio.sleep(0)
        return await super().send(request)


async def test_a_config_does_not_wait_behind_manifests() -> None:
    connections = Unhurried(lambda _: httpx.Response(200, content=CONFIG))
    registry = DistributionRegistry(
        replace(an_endpoint(), concurrency=1),
        connections,
        Telemetry(),
        clock=FakeClock().clock,
    )
    digest = digest_of(CONFIG)

    await registry.get_manifest("app", "first")  # it goes alone
    connections.requests.clear()
    await asyncio.gather(
        *(registry.get_manifest("app", f"v{number}") for number in range(4)),
        registry.get_blob("app", digest, len(CONFIG), 100),
    )

    assert connections.paths == [
        "/v2/app/manifests/v0",
        f"/v2/app/blobs/{digest}",
        "/v2/app/manifests/v1",
        "/v2/app/manifests/v2",
        "/v2/app/manifests/v3",
    ]
