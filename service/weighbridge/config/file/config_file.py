"""Which configuration file is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

DEFAULT_FILES: Final = ("weighbridge.yaml", "/etc/weighbridge/weighbridge.yaml")


def find_config_file(path: str | None, environ: Mapping[str, str]) -> str | None:
    """The file to read: `--config`, WEIGHBRIDGE_CONFIG, or the first of the usual
    ones that is there. None for no file."""
    wanted = path or environ.get("WEIGHBRIDGE_CONFIG")
    if wanted:
        return wanted
    return next((name for name in DEFAULT_FILES if Path(name).exists()), None)
