"""Compares two images: as the configured database has them, else straight from their
registries."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from weighbridge.bootstrap.one_image.image_check import (
    ImageReader,
    NamedImage,
    NotWeighed,
    ReadBoth,
    image_beside,
    named_image,
)
from weighbridge.bootstrap.registries.targets import (
    PLAIN,
    AddressAccess,
    refuse_misplaced,
)
from weighbridge.config import Settings
from weighbridge.domain.comparison.comparison import Comparison, compare_weighings
from weighbridge.domain.image.platform import DEFAULT, Platform, matches, parse_platform
from weighbridge.domain.size.weighing import Weighing, WeighingCost
from weighbridge.engine.weigh.weigh import OUT_OF_TIME, TIMEOUT_S, within
from weighbridge.errors import NotFound, TransportError


class CompareRequest(Struct, frozen=True):
    """Which images are to be compared, and where they are looked for.

    after:    the second one; `:tag` and `@digest` are of the first one's repository
    platform: None for every one that both have
    is_fresh: ask the registries, whatever the database has
    must_read_database: it was named here, so that one that cannot be read is an error
    timeout_s: how long all of it may take
    """

    before: str
    after: str
    platform: str | None = None
    is_fresh: bool = False
    must_read_database: bool = False
    timeout_s: int = TIMEOUT_S
    access: AddressAccess = PLAIN
    docker_config: Path | None = None


class ReadComparison(Struct, frozen=True):
    """cost: of what registries were asked, None where none was
    note: why the database was not used, "" where nothing is to be said of it"""

    comparison: Comparison
    cost: WeighingCost | None
    note: str


def compare(settings: Settings, asked: CompareRequest) -> ReadComparison:
    """Both images, side by side. Nothing is stored.

    Raises InvalidReference, UsageError, StoreError, and NotWeighed for an image, with
    NotFound(platform_missing) where it has none for the platform that is asked for.
    """
    before = named_image(settings, asked.before, asked.access)
    after = image_beside(settings, asked.after, before, asked.access)
    refuse_misplaced(asked.access, [before.target, after.target])
    platform = None if asked.platform is None else parse_platform(asked.platform)
    kept, note = _kept(settings, asked, (before, after), platform)
    missing = [each for each in (before, after) if each.text not in kept]
    cost = None
    if missing:
        began = time.monotonic()
        read = _read(settings, asked, missing, platform)
        found = (read.weighing, read.against)
        kept |= {m.text: w for m, w in zip(missing, found, strict=False) if w}
        seconds = time.monotonic() - began
        cost = WeighingCost(read.requests, read.bytes_read, seconds)
    comparison = compare_weighings(
        kept[before.text], kept[after.text], _preferred(before), platform
    )
    if not comparison.images:
        raise _without_platform(comparison, before, after, asked.platform or "")
    return ReadComparison(comparison, cost, note)


def _kept(
    settings: Settings,
    asked: CompareRequest,
    items: Sequence[NamedImage],
    platform: Platform | None,
) -> tuple[dict[str, Weighing], str]:
    """By how they were asked for those that the database has, and why there are none
    where that is to be said."""
    if asked.is_fresh:
        return {}, ""
    # Imported late: SQL takes half a second to load, and a registry needs none.
    from weighbridge.bootstrap.one_image.kept_images import weighings_in_database

    return weighings_in_database(
        settings, items, platform, must_be_read=asked.must_read_database
    )


def _read(
    settings: Settings,
    asked: CompareRequest,
    items: Sequence[NamedImage],
    platform: Platform | None,
) -> ReadBoth:
    first, second = (*items, None)[:2]
    assert first is not None  # noqa: S101 - nobody asks for nothing
    reader = ImageReader(settings, asked.docker_config, platform)
    try:
        return asyncio.run(within(asked.timeout_s, reader.both(first, second)))
    except TransportError as exc:
        if exc.code != OUT_OF_TIME:
            raise
        raise NotWeighed(exc, first.text) from exc


def _preferred(item: NamedImage) -> Sequence[Platform]:
    configured = item.target.settings
    return (DEFAULT,) if configured is None else configured.platforms


def _without_platform(
    found: Comparison, before: NamedImage, after: NamedImage, platform: str
) -> NotWeighed:
    """Of one platform that was asked for; any two images can be compared else."""
    wanted = parse_platform(platform)
    item, weighing = next(
        (
            (item, weighing)
            for item, weighing in ((before, found.before), (after, found.after))
            if not any(matches(image.platform, wanted) for image in weighing.images)
        ),
        (after, found.after),
    )
    known = ", ".join(map(str, weighing.platforms)) or "none"
    error = NotFound(
        f"there is no image for {platform}",
        code="platform_missing",
        hint=f"it has  {known}",
    )
    return NotWeighed(error, item.text)
