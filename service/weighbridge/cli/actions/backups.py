"""What `weighbridge db backup` and `db restore` print."""

from datetime import UTC, datetime
from pathlib import Path

from weighbridge.bootstrap import databases
from weighbridge.cli.actions.progress import Watch
from weighbridge.cli.actions.tokens import system_user
from weighbridge.config import Settings
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.phrases import plural
from weighbridge.store.access import Act
from weighbridge.store.backup.contents import Contents


def backed_up(settings: Settings, file: str, replace: bool, watch: Watch) -> str:
    """What was written, and where."""
    found = databases.backed_up(settings, file, watch, replace=replace)
    size = format_bytes(Path(file).stat().st_size)
    return f"{printable(file)}: {counted(found)}\n{size}, {crawled_until(found)}"


def restored(settings: Settings, file: str, replace: bool, watch: Watch) -> str:
    """What is there now, where the database before is, and what was lost."""
    act = Act(datetime.now(UTC), system_user(), "db.restore", Path(file).name)
    done = databases.restored(settings, file, watch, act, replace=replace)
    lines = [
        f"restored from {printable(file)}: {counted(done.contents)}",
        crawled_until(done.contents),
    ]
    if done.kept is not None:
        lines.append(f"the database before is kept beside it: {done.kept.name}")
    lines += [
        "lost is what came after the backup and is in no registry: waivers, tokens, "
        "violations, notifications, history, acts of admins",
        f"{plural(done.valid_tokens, 'token')} valid, also what was revoked after the "
        "backup: weighbridge token list",
        "the next crawl reads what registries have now",
    ]
    return "\n".join(lines)


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
