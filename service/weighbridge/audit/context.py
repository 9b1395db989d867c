"""What every pass of one registry's crawl shares."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from weighbridge.audit.progress import Progress
from weighbridge.audit.read import Reader
from weighbridge.audit.unsaved import Unsaved
from weighbridge.audit.writer import Writer
from weighbridge.domain.platform import Platform
from weighbridge.ports import Registry


@dataclass(frozen=True, slots=True)
class PassContext:
    """What every pass of one registry's crawl shares.

    count_manifests: told now and then: tags looked up, and how many were unchanged
    """

    registry: Registry
    reader: Reader
    writer: Writer
    unsaved: Unsaved
    progress: Progress
    clock: Callable[[], datetime]
    wants_tag: Callable[[str], bool]
    platforms: tuple[Platform, ...]
    interval_s: int
    count_manifests: Callable[[int, int], None]
