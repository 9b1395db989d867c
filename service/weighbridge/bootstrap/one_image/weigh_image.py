"""Weighs one reference straight from its registry: no database is opened."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from weighbridge.bootstrap.registries.clients import OpenClient, registry_client
from weighbridge.bootstrap.registries.targets import (
    PLAIN,
    AddressAccess,
    Target,
    image_of,
    refuse_misplaced,
)
from weighbridge.config import Settings
from weighbridge.domain.image.document import Problem
from weighbridge.domain.image.platform import Platform, parse_platform
from weighbridge.domain.image.reference import DOCKER_HUB, Reference
from weighbridge.domain.size.weighing import Weighing
from weighbridge.engine.weigh.weigh import TIMEOUT_S, Measure, weigh, within
from weighbridge.errors import AuthError, NotFound, TransportError, WeighbridgeError
from weighbridge.telemetry import Telemetry


def inspect(
    settings: Settings,
    text: str,
    *,
    platform: str | None,
    all_platforms: bool,
    access: AddressAccess = PLAIN,
    docker_config: Path | None = None,
    timeout_s: int = TIMEOUT_S,
) -> Weighing:
    """Weigh one reference straight from its registry; nothing is stored.

    timeout_s: how long all of it may take; TransportError(out_of_time) then
    """
    reference, target = image_of(settings, text, access)
    refuse_misplaced(access, [target])
    wanted = None if platform is None else parse_platform(platform)
    try:
        weighing = _weighed(
            settings, target, reference, wanted, all_platforms, docker_config
        )
        return asyncio.run(within(timeout_s, weighing))
    except WeighbridgeError as exc:
        note_docker_hub(exc, settings, text, reference)
        raise


async def _weighed(
    settings: Settings,
    target: Target,
    reference: Reference,
    platform: Platform | None,
    all_platforms: bool,
    docker_config: Path | None,
) -> Weighing:
    async with registry_client(
        settings,
        target,
        Telemetry(),
        docker_config=docker_config,
        keeps_quota=False,
    ) as connected:
        return await weigh_with(
            connected, reference, platform=platform, all_platforms=all_platforms
        )


async def weigh_with(
    connected: OpenClient,
    reference: Reference,
    *,
    platform: Platform | None,
    all_platforms: bool,
    measure: Measure | None = None,
) -> Weighing:
    """One reference over an open client, with what is to be said of its credentials."""
    try:
        weighing = await weigh(
            connected.registry,
            reference,
            platform=platform,
            all_platforms=all_platforms,
            measure=measure,
        )
    except WeighbridgeError as exc:
        if exc.code in ("unauthorized", "denied") and connected.warnings:
            # A login that cannot be read is the cause; signing in again is no remedy.
            exc.hint = "\n".join(f"note   {w.message}" for w in connected.warnings)
        raise
    return _with_warnings(weighing, connected.warnings)


def note_docker_hub(
    error: WeighbridgeError, settings: Settings, text: str, reference: Reference
) -> None:
    """Say with the error that Docker Hub was asked, where that may be the mistake."""
    if isinstance(error, TransportError | NotFound | AuthError) and (
        note := why_docker_hub(settings, text, reference)
    ):
        error.hint = "\n".join(filter(None, (note, error.hint)))


def why_docker_hub(settings: Settings, text: str, reference: Reference) -> str:
    """What a first component was taken for, where it may have meant a registry."""
    first, slash, _ = text.partition("/")
    if reference.registry != DOCKER_HUB:
        return ""
    if slash and reference.repository.startswith(f"{first}/"):
        return f"note   no registry is called {first} here, so Docker Hub was asked"
    name = first.partition("@")[0].partition(":")[0]
    if not slash and name in settings.names:
        return f"note   {name} is a registry: name a repository of it, {name}/..."
    return ""


def _with_warnings(weighing: Weighing, problems: Sequence[Problem]) -> Weighing:
    texts = tuple(problem.message for problem in problems)
    return replace(weighing, warnings=texts + weighing.warnings)
