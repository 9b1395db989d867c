"""Platforms: os/architecture[/variant], and which of several speaks for all."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Final, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.errors import UsageError


class Platform(Struct, frozen=True, order=True):
    """What an image runs on (image-spec, image-index.md, "platform").

    Normalised as runtimes do before they compare, see `normalised`. `os_version` is
    kept for Windows, where it tells images apart.
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


T = TypeVar("T", bound=Hashable)

UNKNOWN: Final = Platform("unknown", "unknown")
DEFAULT: Final = Platform("linux", "amd64")
_OS: Final = {"macos": "darwin"}
_ARCHITECTURE: Final = {
    "i386": "386",
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
}
_ONLY_VARIANT: Final = {"i386": "", "armhf": "v7", "armel": "v6"}
"""Of names that say it themselves, whatever variant is written beside them."""
_VARIANT: Final = {
    ("amd64", "v1"): "",
    ("arm64", "8"): "",
    ("arm64", "v8"): "",
    ("arm64", "v8.0"): "",
    ("arm64", "9"): "v9",
    ("arm64", "9.0"): "v9",
    ("arm64", "v9.0"): "v9",
    ("arm", ""): "v7",
    ("arm", "5"): "v5",
    ("arm", "6"): "v6",
    ("arm", "7"): "v7",
    ("arm", "8"): "v8",
}


def normalised(
    os: str, architecture: str, variant: str = "", os_version: str = ""
) -> Platform:
    """A platform in the one spelling that we compare and store.

    containerd pulls an image for `x86_64` where amd64 is asked for, so both are one
    platform: github.com/containerd/platforms, database.go, normalizeOS and
    normalizeArch.
    """
    os, said, variant = os.lower(), architecture.lower(), variant.lower()
    architecture = _ARCHITECTURE.get(said, said)
    variant = _ONLY_VARIANT.get(said, variant)
    variant = _VARIANT.get((architecture, variant), variant)
    return Platform(_OS.get(os, os), architecture, variant, os_version)


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

    The preferred ones in their order, where each is what a host of it pulls, see
    `pulled_for`; else amd64, arm64, then by os/architecture/variant ascending (the
    design's order).
    """
    listed = list(platforms)
    for wanted in preferred:
        if (platform := pulled_for(listed, wanted)) is not None:
            return platform
    known = sorted(p for p in listed if p != UNKNOWN)
    for architecture in ("amd64", "arm64"):
        for platform in known:
            if platform.architecture == architecture:
                return platform
    return known[0] if known else None


def pulled_as(listed: Platform | None, said: Platform) -> Platform:
    """The platform for which an index has an image pulled.

    listed: what the index says; runtimes go by that alone, so that no config can make
            an image pass for another platform's. None: the config's is used
    said:   what the config says; of the same system its version may stand there alone
    """
    if listed is None:
        return said
    if listed.os_version or listed.os != said.os:
        return listed
    return replace(listed, os_version=said.os_version)


def differ(listed: Platform, said: Platform) -> bool:
    """Whether an index and a config contradict one another."""
    return said != UNKNOWN and not _is_for(said, listed)


class ListedImage(Struct, Generic[T], frozen=True):
    """An image as an index lists it.

    path: from the top index down, what each entry says and where it stands
    """

    platform: Platform
    path: tuple[tuple[Platform | None, int], ...]
    image: T

    @property
    def rank(self) -> tuple[tuple[int, int], ...]:
        """The lowest of one platform is pulled. An entry that says the platform comes
        before one that says none, and then the earlier one (containerd,
        core/images/handlers.go, LimitManifests). A nested index that says another
        platform is followed by nobody: it comes last."""
        return tuple(
            (1 if said is None else 0 if _is_for(said, self.platform) else 2, place)
            for said, place in self.path
        )


def choose(
    listed: Iterable[ListedImage[T]],
) -> tuple[dict[Platform, T], list[ListedImage[T]]]:
    """By platform the image that is pulled, in the index's order; and the others for
    the same platforms, which only their digests lead to."""
    first: dict[Platform, ListedImage[T]] = {}
    every = list(listed)
    for each in every:
        best = first.get(each.platform)
        if best is None or each.rank < best.rank:
            first[each.platform] = each
    pulled = {platform: each.image for platform, each in first.items()}
    seen = set(pulled.values())
    others = {e.image: e for e in every if e.image not in seen}
    return pulled, list(others.values())


def _is_for(said: Platform, platform: Platform) -> bool:
    return replace(said, os_version="") == replace(platform, os_version="")


def pulled_for(platforms: Iterable[Platform], wanted: Platform) -> Platform | None:
    """Which of these, in an index's order, a host of the wanted platform pulls; None
    for none.

    1. Its own. 2. For amd64 one for 386, for arm an older variant (containerd,
    platforms/compare.go, platformVector). 3. An image that says no platform anywhere:
    Podman and skopeo take it where nothing else fits (containers/image,
    oci_index.go, chooseInstance).
    """
    known = list(platforms)
    for fitting in (wanted, *_older(wanted), UNKNOWN):
        for platform in known:
            if matches(platform, fitting):
                return platform
    return None


def _older(wanted: Platform) -> Iterable[Platform]:
    """What else runs on it, the best first."""
    if wanted.architecture == "amd64":
        yield replace(wanted, architecture="386", variant="")
    if wanted.architecture == "arm":
        variants = ("v8", "v7", "v6", "v5")
        if wanted.variant in variants:
            for variant in variants[variants.index(wanted.variant) + 1 :]:
                yield replace(wanted, variant=variant)


def matches(platform: Platform, wanted: Platform) -> bool:
    """Whether `platform` is the one asked for; no os_version asked fits any."""
    return (
        (platform.os, platform.architecture, platform.variant)
        == (wanted.os, wanted.architecture, wanted.variant)
    ) and wanted.os_version in ("", platform.os_version)
