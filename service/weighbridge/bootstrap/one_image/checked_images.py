"""Weighs the image that is checked and the one it is compared with, both at once."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from msgspec import Struct

from weighbridge.bootstrap.one_image.weigh_image import note_docker_hub, weigh_with
from weighbridge.bootstrap.registries.clients import OpenClient, registry_client
from weighbridge.bootstrap.registries.targets import Target
from weighbridge.config import Settings
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.image.reference import Reference
from weighbridge.domain.size.weighing import Weighing
from weighbridge.engine.weigh.weigh import MeasuredOnce
from weighbridge.errors import NotFound, RegistryError, WeighbridgeError
from weighbridge.telemetry import Telemetry


class NotWeighed(Exception):
    """One of the images could not be weighed. text: how it was asked for."""

    def __init__(self, cause: WeighbridgeError, text: str) -> None:
        super().__init__(text)
        self.cause = cause
        self.text = text


class NamedImage(Struct, frozen=True):
    """One of the images that are read. text: how it was asked for."""

    text: str
    reference: Reference
    target: Target


class ReadBoth(Struct, frozen=True):
    """What was read, and what that took."""

    weighing: Weighing
    against: Weighing | None
    requests: int
    bytes_read: int


class ImageReader:
    """Reads images of any registries with the same settings.

    Layers that both have are asked for once. platform: None for every platform
    """

    def __init__(
        self,
        settings: Settings,
        docker_config: Path | None,
        platform: Platform | None,
    ) -> None:
        self._settings = settings
        self._docker_config = docker_config
        self._platform = platform
        self._measuring: dict[str, MeasuredOnce] = {}

    async def both(self, item: NamedImage, other: NamedImage | None) -> ReadBoth:
        """Raises NotWeighed; of two failures the first one's."""
        async with self._clients(item, other) as clients:
            client = clients[item.target.url]
            if other is None:
                weighing, against = await self._weighed(client, item), None
            else:
                before = self._before(clients[other.target.url], other)
                weighing, against = await _gathered(self._weighed(client, item), before)
            costs = [connected.registry.cost for connected in clients.values()]
        return ReadBoth(
            weighing,
            against,
            requests=sum(cost.requests for cost in costs),
            bytes_read=sum(cost.bytes_read for cost in costs),
        )

    @asynccontextmanager
    async def _clients(
        self, *items: NamedImage | None
    ) -> AsyncIterator[dict[str, OpenClient]]:
        """An open client for each registry that is asked, by its URL."""
        clients: dict[str, OpenClient] = {}
        async with AsyncExitStack() as stack:
            for item in items:
                if item is not None and item.target.url not in clients:
                    client = registry_client(
                        self._settings,
                        item.target,
                        Telemetry(),
                        docker_config=self._docker_config,
                        keeps_quota=False,
                    )
                    opened = await stack.enter_async_context(client)
                    clients[item.target.url] = opened
            yield clients

    async def _weighed(self, connected: OpenClient, item: NamedImage) -> Weighing:
        try:
            return _with_images(await self._asked(connected, item, self._platform))
        except WeighbridgeError as exc:
            raise self._failure(exc, item) from exc

    async def _before(self, connected: OpenClient, item: NamedImage) -> Weighing:
        """What only growth is counted from. It need not have the platform that is
        asked for: then it is said that there is nothing to compare with."""
        try:
            try:
                found = await self._asked(connected, item, self._platform)
            except NotFound as exc:
                if exc.code != "platform_missing":
                    raise
                found = await self._asked(connected, item, None)
            return _with_images(found)
        except WeighbridgeError as exc:
            raise self._failure(exc, item) from exc

    async def _asked(
        self, connected: OpenClient, item: NamedImage, platform: Platform | None
    ) -> Weighing:
        once = MeasuredOnce(connected.registry)
        return await weigh_with(
            connected,
            item.reference,
            platform=platform,
            all_platforms=self._platform is None,
            measure=self._measuring.setdefault(item.target.url, once).measure,
        )

    def _failure(self, error: WeighbridgeError, item: NamedImage) -> NotWeighed:
        note_docker_hub(error, self._settings, item.text, item.reference)
        return NotWeighed(error, item.text)


async def _gathered(
    one: Coroutine[object, object, Weighing], other: Coroutine[object, object, Weighing]
) -> tuple[Weighing, Weighing]:
    first, second = await asyncio.gather(one, other, return_exceptions=True)
    if isinstance(first, BaseException):
        raise first
    if isinstance(second, BaseException):
        raise second
    return first, second


def _with_images(weighing: Weighing) -> Weighing:
    """Raises RegistryError(not_an_image)."""
    if weighing.images:
        return weighing
    what = {
        "index": "an index without an image that could be read",
        "unweighable": f"a manifest without sizes ({weighing.media_type})",
    }
    named = what.get(weighing.kind, f"something else ({weighing.media_type})")
    raise RegistryError(f"it is no image but {named}", code="not_an_image")
