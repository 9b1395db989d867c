"""Each registry: signing in, and one listing."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from weighbridge.bootstrap.doctor.check import CheckResult, Installation, fault_of
from weighbridge.bootstrap.one_image.registry_check import (
    RegistryCheck,
    check_registries,
)
from weighbridge.engine.weigh.weigh import OUT_OF_TIME
from weighbridge.errors import TransportError
from weighbridge.presentation.forms.phrases import minute, plural

REGISTRY: Final = "registry"
SOON: Final = timedelta(days=14)
"""A certificate that ends within it should have been replaced."""

_SILENT: Final = (
    "see whether it stands still, or a firewall is between; or allow more time:"
    " --timeout 1m"
)


def configured_registries(installation: Installation) -> Sequence[str]:
    return [registry.name for registry in installation.settings.registries]


def look_at_registry(installation: Installation, name: str) -> Iterator[CheckResult]:
    """As `registry check`, without reading an image, which may count as a pull."""
    of, timeout_s = f"{REGISTRY} {name}", installation.timeout_s
    try:
        checked = check_registries(
            installation.settings,
            name,
            installation.docker_config,
            timeout_s,
            is_brief=True,
        )
    except TransportError as exc:
        if exc.code != OUT_OF_TIME:
            raise
        text = f"it has not answered everything within {timeout_s} s"
        yield CheckResult(of, "fault", text, _SILENT, exc.code)
        return
    for done in checked:
        yield from _of_steps(of, done)
        for warning in done.warnings:
            yield CheckResult(
                of, "warning", warning, f"weighbridge registry check {name}"
            )
        if done.certified_until is not None:
            yield from _of_certificate(of, done.certified_until, datetime.now(UTC))


def _of_steps(of: str, done: RegistryCheck) -> Iterator[CheckResult]:
    if not done.has_failed:
        seen = "; ".join(step.seen for step in done.steps if step.seen)
        yield CheckResult(of, "ok", f"{done.url}: {seen}")
    for step in done.steps:
        if step.error is not None:
            found = fault_of(of, step.error)
            text = f"{step.name}: {found.text}"
            yield CheckResult(of, "fault", text, found.action, found.code)


def _of_certificate(of: str, ends_at: datetime, now: datetime) -> Iterator[CheckResult]:
    if ends_at - now > SOON:
        return
    days = plural(max(0, (ends_at - now).days), "day")
    text = f"its certificate ends in {days}, at {minute(ends_at)} UTC"
    yield CheckResult(of, "warning", text, "have it renewed")
