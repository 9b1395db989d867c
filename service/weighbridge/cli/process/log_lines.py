"""Where a command's log goes and in which form: stderr, whatever stdout holds."""

import sys
from typing import Literal, TextIO

from weighbridge import logs
from weighbridge.config import Settings


def configure_log(settings: Settings) -> None:
    """Send the log to stderr, as the settings want it."""
    logs.configure(log_format(settings, sys.stderr), settings.log_level)


def log_format(settings: Settings, stream: TextIO) -> Literal["json", "console"]:
    """The configured one; where nothing is said, lines for a person on a terminal."""
    is_said = "log_format" in settings.model_fields_set
    return "console" if stream.isatty() and not is_said else settings.log_format
