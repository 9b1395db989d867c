"""What a command's options say, as variables for a process that it starts."""

from collections.abc import Mapping
from pathlib import Path

from weighbridge.cli.options.common import Options
from weighbridge.config import Settings


def handed_over(
    options: Options, settings: Settings, environ: Mapping[str, str]
) -> dict[str, str]:
    """The environment in which `load_settings` finds the same settings again."""
    handed = dict(environ)
    if options.config is not None:
        handed["WEIGHBRIDGE_CONFIG"] = str(Path(options.config).absolute())
    if options.database is not None:
        handed.pop("WEIGHBRIDGE_DATABASE_URL_FILE", None)
        handed["WEIGHBRIDGE_DATABASE_URL"] = settings.database_url.reveal()
    return handed
