"""Holds one reference against limits, straight from its registry: a gate for CI."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from weighbridge.bootstrap.clients import Connected, registry_client
from weighbridge.bootstrap.service_limits import Service, limits_of_service
from weighbridge.bootstrap.targets import Target, refuse_registry, target_of
from weighbridge.bootstrap.weighing import note_docker_hub, weigh_with
from weighbridge.config import Settings
from weighbridge.domain.check import Check, Rules, checked, rules_of
from weighbridge.domain.platform import Platform, parse_platform
from weighbridge.domain.policy import Policy
from weighbridge.domain.policy_set import NO_POLICIES, PolicySet
from weighbridge.domain.reference import Reference, parse_reference
from weighbridge.domain.weighing import Weighing, WeighingCost
from weighbridge.errors import RegistryError, UsageError, WeighbridgeError
from weighbridge.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be checked, and against what.

    against:  another image; `:tag` and `@digest` are of the same repository
    platform: None for every platform
    own:      the limits of the command line, which go before all policies
    policies: those of files
    service:  a Weighbridge that has policies, waivers and baselines
    """

    reference: str
    own: Policy
    against: str | None = None
    platform: str | None = None
    policies: PolicySet = NO_POLICIES
    service: Service | None = None
    allow_unknown: bool = False
    plain_http: bool = False
    docker_config: Path | None = None


class NotWeighed(Exception):
    """One of the images could not be weighed. text: how it was asked for."""

    def __init__(self, cause: WeighbridgeError, text: str) -> None:
        super().__init__(text)
        self.cause = cause
        self.text = text


@dataclass(frozen=True, slots=True)
class _Item:
    """One of the images that are read."""

    text: str
    reference: Reference
    target: Target


def check(settings: Settings, asked: Asked) -> Check:
    """Weigh what is asked for, hold every limit against it. Nothing is stored.

    Raises UsageError(no_limits, no_baseline) where nothing could be held against it,
    NotWeighed for an image, and what `limits_of_service` raises.
    """
    item = _item(settings, asked, asked.reference)
    before = asked.against
    if before is not None and before.startswith((":", "@")):
        before = _name_of(item.reference) + before
    other = None if before is None else _item(settings, asked, before)
    platform = None if asked.platform is None else parse_platform(asked.platform)
    return asyncio.run(_check(settings, asked, item, other, platform))


def _item(settings: Settings, asked: Asked, text: str) -> _Item:
    refuse_registry(text)
    reference = parse_reference(text, settings.names)
    target = target_of(settings, reference.registry, plain_http=asked.plain_http)
    return _Item(text, reference, target)


def _name_of(reference: Reference) -> str:
    return f"{reference.registry}/{reference.repository}"


async def _check(
    settings: Settings,
    asked: Asked,
    item: _Item,
    other: _Item | None,
    platform: Platform | None,
) -> Check:
    began = time.monotonic()
    rules = await _rules(asked, item)
    _refuse_nothing(asked, rules)
    async with _clients(settings, asked, item, other) as clients:
        reading = partial(_weighed, settings, platform=platform)
        # Bytes of layers are only read for a limit that is about them.
        measure = rules.limits.max_uncompressed_bytes is not None
        weighing, against = await _both(
            reading(clients[item.target.url], item, measure=measure),
            None
            if other is None
            else reading(clients[other.target.url], other, measure=False),
        )
        costs = [connected.registry.cost for connected in clients.values()]
    cost = WeighingCost(
        requests=sum(cost.requests for cost in costs),
        bytes_read=sum(cost.bytes_read for cost in costs),
        seconds=time.monotonic() - began,
    )
    return checked(
        replace(weighing, cost=cost),
        against,
        rules,
        platform=platform,
        allow_unknown=asked.allow_unknown,
    )


async def _rules(asked: Asked, item: _Item) -> Rules:
    """The limits that hold; those of the command line before all others."""
    policies = asked.policies.policies
    told = None
    if asked.service is not None:
        told = await limits_of_service(asked.service, str(item.reference))
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


def _refuse_nothing(asked: Asked, rules: Rules) -> None:
    """A gate that holds nothing against an image must not look like one that does."""
    if not rules.keys:
        raise UsageError(
            "no limit is set: there is nothing to check",
            code="no_limits",
            hint="--max-compressed 500MB, --policy FILE, --config FILE or --server URL",
        )
    has_baseline = asked.against is not None or asked.service is not None
    is_asked = "max_growth" in asked.own.places
    if not has_baseline and (is_asked or rules.keys == ("max_growth",)):
        raise UsageError(
            "growth is counted from another image, and none is named",
            code="no_baseline",
            hint="--against :1.4 for a tag of the same repository, or --server URL",
        )


@asynccontextmanager
async def _clients(
    settings: Settings, asked: Asked, *items: _Item | None
) -> AsyncIterator[dict[str, Connected]]:
    """An open client for each registry that is asked, by its URL."""
    clients: dict[str, Connected] = {}
    async with AsyncExitStack() as stack:
        for item in items:
            if item is not None and item.target.url not in clients:
                client = registry_client(
                    settings,
                    item.target,
                    Telemetry(),
                    docker_config=asked.docker_config,
                    keeps_quota=False,
                )
                clients[item.target.url] = await stack.enter_async_context(client)
        yield clients


async def _weighed(
    settings: Settings,
    connected: Connected,
    item: _Item,
    platform: Platform | None,
    *,
    measure: bool,
) -> Weighing:
    try:
        weighing = await weigh_with(
            connected,
            item.reference,
            platform=platform,
            all_platforms=platform is None,
            measure=measure,
        )
        if not weighing.images:
            raise RegistryError(
                f"it is no image but {_what(weighing)}", code="not_an_image"
            )
    except WeighbridgeError as exc:
        note_docker_hub(exc, settings, item.text, item.reference)
        raise NotWeighed(exc, item.text) from exc
    return weighing


def _what(weighing: Weighing) -> str:
    if weighing.kind == "index":
        return "an index without any that could be read"
    if weighing.kind == "unweighable":
        return f"a manifest without sizes ({weighing.media_type})"
    return f"something else ({weighing.media_type})"


async def _both(
    one: Coroutine[object, object, Weighing],
    other: Coroutine[object, object, Weighing] | None,
) -> tuple[Weighing, Weighing | None]:
    """Both at once. Of two failures the first one's is told."""
    if other is None:
        return await one, None
    first, second = await asyncio.gather(one, other, return_exceptions=True)
    if isinstance(first, BaseException):
        raise first
    if isinstance(second, BaseException):
        raise second
    return first, second
