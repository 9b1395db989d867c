"""Weighs one reference straight from its registry: no database is opened."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from weighbridge.audit.weigh import weigh
from weighbridge.bootstrap.clients import registry_client
from weighbridge.bootstrap.targets import target_of
from weighbridge.config import Settings
from weighbridge.domain.document import Problem
from weighbridge.domain.platform import parse_platform
from weighbridge.domain.reference import parse_reference
from weighbridge.domain.weighing import Weighing
from weighbridge.telemetry import Telemetry


def inspect(
    settings: Settings,
    text: str,
    *,
    platform: str | None,
    all_platforms: bool,
    plain_http: bool,
    docker_config: Path | None = None,
) -> Weighing:
    """Weigh one reference straight from its registry; nothing is stored."""
    reference = parse_reference(text, settings.names)
    wanted = None if platform is None else parse_platform(platform)
    target = target_of(settings, reference.registry, plain_http=plain_http)

    async def run() -> Weighing:
        async with registry_client(
            settings, target, Telemetry(), docker_config=docker_config
        ) as connected:
            weighing = await weigh(
                connected.registry,
                reference,
                platform=wanted,
                all_platforms=all_platforms,
            )
        return _with_warnings(weighing, connected.warnings)

    return asyncio.run(run())


def _with_warnings(weighing: Weighing, problems: Sequence[Problem]) -> Weighing:
    texts = tuple(problem.message for problem in problems)
    return replace(weighing, warnings=texts + weighing.warnings)
