"""Holds one reference against limits, straight from its registry: a gate for CI."""

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.one_image.checked_images import (
    ImageReader,
    NamedImage,
    NotWeighed,
)
from weighbridge.bootstrap.one_image.service_limits import Service, limits_of_service
from weighbridge.bootstrap.registries.targets import image_of, refuse_misplaced
from weighbridge.bootstrap.registries.unconfigured import PLAIN, AddressAccess
from weighbridge.config import Settings
from weighbridge.domain.check.image_check import (
    Earlier,
    ImageCheck,
    Rules,
    checked,
    rules_of,
)
from weighbridge.domain.image.platform import Platform, parse_platform
from weighbridge.domain.image.reference import DOCKER_HUB, Reference
from weighbridge.domain.policy.policy import NO_POLICIES, Policy, PolicySet
from weighbridge.domain.size.weighing import Weighing, WeighingCost
from weighbridge.engine.weigh.weigh import OUT_OF_TIME, TIMEOUT_S, within
from weighbridge.errors import TransportError, UsageError


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
    item = _item(settings, asked.reference, asked.access)
    refuse_misplaced(asked.access, [item.target])
    before = asked.against
    if before is not None and before.startswith((":", "@")):
        before = _name_of(item.reference) + before
    other = None if before is None else _other(settings, before, item, asked.access)
    platform = None if asked.platform is None else parse_platform(asked.platform)
    checking = _check(settings, asked, item, other, platform)
    try:
        return asyncio.run(within(asked.timeout_s, checking))
    except TransportError as exc:
        if exc.code != OUT_OF_TIME:
            raise
        raise NotWeighed(exc, item.text) from exc


def _item(settings: Settings, text: str, access: AddressAccess) -> NamedImage:
    reference, target = image_of(settings, text, access)
    return NamedImage(text, reference, target)


def _other(
    settings: Settings, text: str, item: NamedImage, access: AddressAccess
) -> NamedImage:
    """What growth is counted from. Another registry is not shown the password."""
    other = _item(settings, text, access)
    if other.target.url == item.target.url:
        return other
    return _item(settings, text, AddressAccess(plain_http=access.plain_http))


def _name_of(reference: Reference) -> str:
    return f"{reference.registry}/{reference.repository}"


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


def _by_address(item: NamedImage) -> str:
    """The reference as anybody reads it. The name that a registry has in a
    configuration here is another one's in that of the service, or nobody's."""
    if item.target.settings is None:
        return str(item.reference)
    host = urlsplit(item.target.url).netloc
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
