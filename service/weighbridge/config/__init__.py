"""The settings: one frozen object, read once, with every fault told at once.

`load` reads file and environment, `reader` and `document` are the strict YAML,
`settings`, `registry_settings` and `policies` hold the keys, `fields` and `kinds` their
types, `across` what keys say together, `faults` the words of errors; `policy_source`
reads policies again.
"""

from weighbridge.config.address import is_loopback, shown_url, split_bind
from weighbridge.config.files import DEFAULT_FILES, find_config_file
from weighbridge.config.load import load_settings
from weighbridge.config.policy_source import PolicySource, load_policies
from weighbridge.config.registry_settings import (
    AuthSettings,
    DefaultSettings,
    LimitSettings,
    RegistrySettings,
    RepositorySettings,
    TagSettings,
)
from weighbridge.config.settings import Pace, Settings, WebSettings

__all__ = [
    "DEFAULT_FILES",
    "AuthSettings",
    "DefaultSettings",
    "LimitSettings",
    "Pace",
    "PolicySource",
    "RegistrySettings",
    "RepositorySettings",
    "Settings",
    "TagSettings",
    "WebSettings",
    "find_config_file",
    "is_loopback",
    "load_policies",
    "load_settings",
    "shown_url",
    "split_bind",
]
