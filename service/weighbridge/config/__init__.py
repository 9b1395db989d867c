"""The settings: one frozen object, read once, with every fault told at once.

`load` reads files and environment; `kinds` is what its caller says may be named. `yaml`
is the strict YAML, `file` says which files are read. `settings`, `registries`,
`channels` and `policies` hold the keys, `value` their types; `policies.policy_files`
reads policies again.
"""

from weighbridge.config.file.regular_file import DEFAULT_FILES, find_config_file
from weighbridge.config.kinds import Kinds
from weighbridge.config.load import load_settings
from weighbridge.config.policies.policy_files import PolicySource, load_policies
from weighbridge.config.registries.registry_settings import (
    AuthSettings,
    DefaultSettings,
    LimitSettings,
    RegistrySettings,
    RepositorySettings,
    TagSettings,
)
from weighbridge.config.settings import BasesSettings, Pace, Settings, WebSettings
from weighbridge.config.value.written_address import is_loopback, shown_url, split_bind

__all__ = [
    "DEFAULT_FILES",
    "AuthSettings",
    "BasesSettings",
    "DefaultSettings",
    "Kinds",
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
