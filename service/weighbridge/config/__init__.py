"""The settings: one frozen object, read once, with every fault told at once.

`load` reads file and environment, `reader` and `document` are the strict YAML,
`settings` holds the keys, `fields` their types, `across` what keys say together,
`faults` the words of errors.
"""

from weighbridge.config.address import is_loopback, split_bind
from weighbridge.config.load import DEFAULT_FILES, find_config_file, load_settings
from weighbridge.config.settings import (
    AuthSettings,
    DefaultSettings,
    LimitSettings,
    Pace,
    RegistrySettings,
    RepositorySettings,
    Settings,
    TagSettings,
    WebSettings,
)

__all__ = [
    "DEFAULT_FILES",
    "AuthSettings",
    "DefaultSettings",
    "LimitSettings",
    "Pace",
    "RegistrySettings",
    "RepositorySettings",
    "Settings",
    "TagSettings",
    "WebSettings",
    "find_config_file",
    "is_loopback",
    "load_settings",
    "split_bind",
]
