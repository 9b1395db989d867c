"""Weighings of the demo registry, without a socket: what the pages' examples show."""

import asyncio

import httpx
from msgspec.structs import replace

from support.handler_connections import HandlerConnections
from weighbridge.demo.http.server import answer
from weighbridge.demo.story import demo_content
from weighbridge.domain.image.reference import parse_reference
from weighbridge.domain.size.weighing import Weighing
from weighbridge.engine.weigh.weigh import weigh
from weighbridge.net.guard.addresses import Reach
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.telemetry import Telemetry

DEMO = "127.0.0.1:5080"
"""Where `weighbridge up --demo` has its registry, unless somebody else is there."""


def demo_weighing(name: str, *, seconds: float = 0.01) -> Weighing:
    """`weighbridge inspect 127.0.0.1:5080/NAME`, which took so many seconds."""
    endpoint = Endpoint(
        name=DEMO,
        url=f"http://{DEMO}",
        ceiling=Reach.LOOPBACK,
        requests_per_second=None,
    )
    content = demo_content()

    def handler(request: httpx.Request) -> httpx.Response:
        reply = answer(
            content,
            request.method,
            request.url.raw_path.decode(),
            {name.lower(): value for name, value in request.headers.items()},
        )
        body = reply.body
        if reply.blob is not None:
            body = reply.blob.read(reply.first, reply.last)
        return httpx.Response(reply.status, headers=list(reply.headers), content=body)

    async def run() -> Weighing:
        connections = HandlerConnections(handler)
        registry = DistributionRegistry(endpoint, connections, Telemetry())
        try:
            return await weigh(registry, parse_reference(f"{DEMO}/{name}"))
        finally:
            await registry.aclose()

    weighing = asyncio.run(run())
    assert weighing.cost is not None
    return replace(weighing, cost=replace(weighing.cost, seconds=seconds))
