"""Platforms: os/architecture[/variant], and which of several speaks for all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from weighbridge.errors import UsageError


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """What an image runs on (image-spec, image-index.md, "platform").

    Normalised: arm64 has no variant v8, amd64 no variant v1, arm without a
    variant is v7. `os_version` is kept for Windows, where it tells images apart.
    """

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        text = f"{self.os}/{self.architecture}"
        if self.variant:
            text += f"/{self.variant}"
        return f"{text}:{self.os_version}" if self.os_version else text


UNKNOWN: Final = Platform("unknown", "unknown")
DEFAULT: Final = Platform("linux", "amd64")
_DEFAULT_VARIANT: Final = {("arm64", "v8"): "", ("amd64", "v1"): "", ("arm", ""): "v7"}


def normalised(
    os: str, architecture: str, variant: str = "", os_version: str = ""
) -> Platform:
    """A platform in the one spelling that we compare and store."""
    variant = _DEFAULT_VARIANT.get((architecture, variant), variant)
    return Platform(os, architecture, variant, os_version)


def parse_platform(text: str) -> Platform:
    """`linux/arm/v7` as a person writes it. Raises UsageError(invalid_platform)."""
    name, _, os_version = text.partition(":")
    parts = name.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise UsageError(
            f"{text!r} is not a platform",
            code="invalid_platform",
            hint="write os/architecture[/variant], such as linux/arm64",
        )
    os, architecture, variant = (*parts, "")[:3]
    return normalised(os, architecture, variant, os_version)


def reference_platform(
    platforms: Iterable[Platform], preferred: Sequence[Platform] = (DEFAULT,)
) -> Platform | None:
    """The platform whose numbers speak for an index, None for none.

    The preferred ones in their order; else amd64, arm64, then by
    os/architecture/variant ascending (the design's order).
    """
    known = sorted(p for p in platforms if p != UNKNOWN)
    for wanted in preferred:
        for platform in known:
            if matches(platform, wanted):
                return platform
    for architecture in ("amd64", "arm64"):
        for platform in known:
            if platform.architecture == architecture:
                return platform
    return known[0] if known else None


def matches(platform: Platform, wanted: Platform) -> bool:
    """Whether `platform` is the one asked for; no os_version asked fits any."""
    return (
        (platform.os, platform.architecture, platform.variant)
        == (wanted.os, wanted.architecture, wanted.variant)
    ) and wanted.os_version in ("", platform.os_version)
