"""Holds one reference against limits, straight from its registry: a gate for CI."""

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from weighbridge.bootstrap.check_reading import Item, NotWeighed, Reading
from weighbridge.bootstrap.service_limits import Service, limits_of_service
from weighbridge.bootstrap.targets import refuse_registry, target_of
from weighbridge.bootstrap.time_limit import OUT_OF_TIME, TIMEOUT_S, within
from weighbridge.config import Settings
from weighbridge.domain.check import Check, Rules, checked, rules_of
from weighbridge.domain.platform import Platform, parse_platform
from weighbridge.domain.policy import Policy
from weighbridge.domain.policy_set import NO_POLICIES, PolicySet
from weighbridge.domain.reference import DOCKER_HUB, Reference, parse_reference
from weighbridge.domain.weighing import WeighingCost
from weighbridge.errors import TransportError, UsageError
from weighbridge.registry import endpoint as registry_endpoint


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be checked, and against what.

    against:  another image; `:tag` and `@digest` are of the same repository
    platform: None for every platform
    own:      the limits of the command line, which go before all policies
    policies: those of files
    allow_foreign: foreign layers that the registry does not hold are as long as the
              manifest says
    timeout_s: how long all of it may take
    service:  a Weighbridge that has policies, waivers and baselines
    """

    reference: str
    own: Policy
    against: str | None = None
    platform: str | None = None
    policies: PolicySet = NO_POLICIES
    service: Service | None = None
    allow_unknown: bool = False
    allow_foreign: bool = False
    timeout_s: int = TIMEOUT_S
    plain_http: bool = False
    docker_config: Path | None = None


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
    checking = _check(settings, asked, item, other, platform)
    try:
        return asyncio.run(within(asked.timeout_s, checking))
    except TransportError as exc:
        if exc.code != OUT_OF_TIME:
            raise
        raise NotWeighed(exc, item.text) from exc


def _item(settings: Settings, asked: Asked, text: str) -> Item:
    refuse_registry(text)
    reference = parse_reference(text, settings.names)
    target = target_of(settings, reference.registry, plain_http=asked.plain_http)
    return Item(text, reference, target)


def _name_of(reference: Reference) -> str:
    return f"{reference.registry}/{reference.repository}"


async def _check(
    settings: Settings,
    asked: Asked,
    item: Item,
    other: Item | None,
    platform: Platform | None,
) -> Check:
    began = time.monotonic()
    rules = await _rules(asked, item)
    _refuse_nothing(asked, rules)
    read = await Reading(settings, asked.docker_config, platform).both(item, other)
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


async def _rules(asked: Asked, item: Item) -> Rules:
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


def _by_address(item: Item) -> str:
    """The reference as anybody reads it. The name that a registry has in a
    configuration here is another one's in that of the service, or nobody's."""
    if item.target.settings is None:
        return str(item.reference)
    host = urlsplit(item.target.url).netloc
    known = DOCKER_HUB if host == registry_endpoint.DOCKER_HUB else host
    return str(replace(item.reference, registry=known))


def _refuse_nothing(asked: Asked, rules: Rules) -> None:
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
    has_baseline = asked.against is not None or asked.service is not None
    is_asked = "max_growth" in asked.own.places
    if not has_baseline and (is_asked or rules.keys == ("max_growth",)):
        raise UsageError(
            "growth is counted from another image, and none is named",
            code="no_baseline",
            hint="--against :1.4 for a tag of the same repository, or --server URL",
        )
