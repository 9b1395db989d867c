"""Holds one reference against limits, straight from its registry: a gate for CI.

The image that is checked and the one it is compared with are weighed both at once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.one_image.base_questions import bases_told
from weighbridge.bootstrap.one_image.service_limits import Service, limits_of_service
from weighbridge.bootstrap.one_image.weigh_image import note_docker_hub, weigh_with
from weighbridge.bootstrap.registries.clients import OpenClient, registry_client
from weighbridge.bootstrap.registries.targets import (
    PLAIN,
    AddressAccess,
    Target,
    image_of,
    refuse_misplaced,
)
from weighbridge.config import Settings
from weighbridge.domain.check.image_check import (
    Earlier,
    ImageCheck,
    Rules,
    checked,
    rules_of,
)
from weighbridge.domain.image.platform import Platform, parse_platform
from weighbridge.domain.image.reference import DOCKER_HUB, Reference, beside
from weighbridge.domain.policy.base_limits import CertainBase
from weighbridge.domain.policy.policy import (
    NO_POLICIES,
    Policy,
    PolicySet,
    limits_base,
)
from weighbridge.domain.size.weighing import Weighing, WeighingCost
from weighbridge.engine.weigh.weigh import OUT_OF_TIME, TIMEOUT_S, MeasuredOnce, within
from weighbridge.errors import (
    NotFound,
    RegistryError,
    TransportError,
    UsageError,
    WeighbridgeError,
)
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


class CheckRequest(Struct, frozen=True):
    """What is to be checked, and against what.

    against:  another image; `:tag` and `@digest` are of the same repository
    platform: None for every platform
    own:      the limits of the command line, which go before all policies
    policies: those of files
    service:  a Weighbridge that has policies, waivers and the images before
    must_read_database: it was named here for the images before, so that a database
                         that cannot be read is an error
    allow_foreign: foreign layers that the registry does not hold are as long as the
              manifest says
    timeout_s: how long all of it may take
    """

    reference: str
    own: Policy
    against: str | None = None
    platform: str | None = None
    policies: PolicySet = NO_POLICIES
    service: Service | None = None
    must_read_database: bool = False
    allow_unknown: bool = False
    allow_foreign: bool = False
    timeout_s: int = TIMEOUT_S
    access: AddressAccess = PLAIN
    docker_config: Path | None = None


def check(settings: Settings, asked: CheckRequest) -> ImageCheck:
    """Weigh what is asked for, hold every limit against it. Nothing is stored.

    Raises UsageError(no_limits) where nothing could be held against it, NotWeighed for
    an image, StoreError, and what `limits_of_service` raises.
    """
    item = named_image(settings, asked.reference, asked.access)
    refuse_misplaced(asked.access, [item.target])
    other = None
    if asked.against is not None:
        other = image_beside(settings, asked.against, item, asked.access)
    platform = None if asked.platform is None else parse_platform(asked.platform)
    checking = _check(settings, asked, item, other, platform)
    try:
        return asyncio.run(within(asked.timeout_s, checking))
    except TransportError as exc:
        if exc.code != OUT_OF_TIME:
            raise
        raise NotWeighed(exc, item.text) from exc


def named_image(settings: Settings, text: str, access: AddressAccess) -> NamedImage:
    """What a person named. Raises as `image_of` does."""
    reference, target = image_of(settings, text, access)
    return NamedImage(text, reference, target)


def image_beside(
    settings: Settings, text: str, item: NamedImage, access: AddressAccess
) -> NamedImage:
    """What an image is compared with; `:tag` and `@digest` are of its repository.
    Another registry is not shown the password."""
    text = beside(text, item.text)
    other = named_image(settings, text, access)
    if other.target.url == item.target.url:
        return other
    return named_image(settings, text, AddressAccess(plain_http=access.plain_http))


async def _check(
    settings: Settings,
    asked: CheckRequest,
    item: NamedImage,
    other: NamedImage | None,
    platform: Platform | None,
) -> ImageCheck:
    began = time.monotonic()
    rules = await _rules(asked, item)
    _refuse_nothing(asked, rules)
    read = await ImageReader(settings, asked.docker_config, platform).both(item, other)
    if "max_growth" in rules.keys and other is None and asked.service is None:
        earlier = await asyncio.to_thread(
            _earlier, settings, asked, item, read.weighing
        )
        rules = replace(rules, earlier=earlier)
    if limits_base(rules.limits):
        if asked.service is not None:
            bases = await bases_told(asked.service, read.weighing.images)
        else:
            bases = await asyncio.to_thread(_bases, settings, asked, read.weighing)
        rules = replace(rules, bases=bases)
    seconds = time.monotonic() - began
    cost = WeighingCost(read.requests, read.bytes_read, seconds)
    return checked(
        replace(read.weighing, cost=cost),
        read.against,
        rules,
        platform=platform,
        allow_unknown=asked.allow_unknown,
        allow_foreign=asked.allow_foreign,
    )


async def _rules(asked: CheckRequest, item: NamedImage) -> Rules:
    """The limits that hold; those of the command line before all others."""
    policies = asked.policies.policies
    told = None
    if asked.service is not None:
        told = await limits_of_service(asked.service, _by_address(item))
        policies = told.policies
    rules = rules_of(
        PolicySet([asked.own, *policies]),
        item.target.name,
        item.reference.repository,
        item.reference.tag or "",
    )
    if told is None:
        return rules
    # What somebody says on the command line is not waived elsewhere.
    waived = {k: v for k, v in told.waived.items() if k not in asked.own.places}
    return replace(rules, waived=waived, earlier=told.earlier)


def _earlier(
    settings: Settings, asked: CheckRequest, item: NamedImage, weighing: Weighing
) -> Earlier:
    # Imported late: SQL takes half a second to load, and few checks need it.
    from weighbridge.bootstrap.one_image.earlier_images import earlier_in_database

    return earlier_in_database(
        settings,
        item.target,
        item.reference,
        [image.platform for image in weighing.images],
        must_be_read=asked.must_read_database,
    )


def _bases(
    settings: Settings, asked: CheckRequest, weighing: Weighing
) -> dict[str, CertainBase]:
    # Imported late, as below.
    from weighbridge.bootstrap.one_image.image_bases import bases_in_database

    must_be_read = asked.must_read_database
    return bases_in_database(settings, weighing.images, must_be_read=must_be_read)


def _by_address(item: NamedImage) -> str:
    """The reference as anybody reads it. The name that a registry has in a
    configuration here is another one's in that of the service, or nobody's; only of a
    registry below a prefix it is all that there is."""
    parts = urlsplit(item.target.url)
    if item.target.settings is None or parts.path:
        return str(item.reference)
    host = parts.netloc
    known = DOCKER_HUB if KINDS.hosts.get(DOCKER_HUB) == host else host
    return str(replace(item.reference, registry=known))


def _refuse_nothing(asked: CheckRequest, rules: Rules) -> None:
    """A gate that holds nothing against an image must not look like one that does."""
    if not rules.keys:
        raise UsageError(
            "no limit is set: there is nothing to check",
            code="no_limits",
            hint="--max-compressed 500MB, --policy FILE, --config FILE or --server URL",
        )
    if "min_growth" in asked.own.places and "max_growth" not in rules.keys:
        raise UsageError(
            "--min-growth alone sets no limit",
            code="no_limits",
            hint="--max-growth 10% beside it",
        )
