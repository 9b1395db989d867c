"""What is half read is finished first: a kill costs all that is not."""

import asyncio

import httpx
from msgspec.structs import replace

from support.fake_clock import FakeClock
from support.handler_transport import HandlerTransport
from support.registry_client import an_endpoint
from weighbridge.domain.image.digest import digest_of
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.telemetry import Telemetry

CONFIG = b"{}"


class Unhurried(HandlerTransport):
    """Lets others come between a question and its answer."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return await super().handle_async_request(request)


async def test_a_config_does_not_wait_behind_manifests() -> None:
    transport = Unhurried(lambda _: httpx.Response(200, content=CONFIG))
    registry = DistributionRegistry(
        replace(an_endpoint(), concurrency=1),
        transport,
        Telemetry(),
        clock=FakeClock().clock,
    )
    digest = digest_of(CONFIG)

    await registry.get_manifest("app", "first")  # it goes alone
    transport.requests.clear()
    await asyncio.gather(
        *(registry.get_manifest("app", f"v{number}") for number in range(4)),
        registry.get_blob("app", digest, len(CONFIG), 100),
    )

    assert transport.paths == [
        "/v2/app/manifests/v0",
        f"/v2/app/blobs/{digest}",
        "/v2/app/manifests/v1",
        "/v2/app/manifests/v2",
        "/v2/app/manifests/v3",
    ]
