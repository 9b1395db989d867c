"""What `weighbridge db backup` and `db restore` print."""

from pathlib import Path

from weighbridge.bootstrap import databases
from weighbridge.cli.actions.progress import Watch
from weighbridge.config import Settings
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.phrases import plural
from weighbridge.store.backup.contents import Contents


def backed_up(settings: Settings, file: str, replace: bool, watch: Watch) -> str:
    """What was written, and where."""
    found = databases.backed_up(settings, file, watch, replace=replace)
    size = format_bytes(Path(file).stat().st_size)
    return f"{printable(file)}: {counted(found)}\n{size}, {crawled_until(found)}"


def counted(found: Contents) -> str:
    """How much there is."""
    return (
        f"schema {found.revision}, "
        f"{plural(found.repositories, 'repository', 'repositories')}, "
        f"{plural(found.tags, 'tag')}"
    )


def crawled_until(found: Contents) -> str:
    """Of when it is."""
    if found.last_crawl_at is None:
        return "nothing was crawled yet"
    return f"crawled until {found.last_crawl_at:%Y-%m-%d %H:%M:%S} UTC"
