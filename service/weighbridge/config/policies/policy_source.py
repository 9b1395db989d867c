"""The policies with the files that they come from, which can be read again."""

import json
import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import TypeAlias

from msgspec import Struct
from pydantic import ValidationError

from weighbridge.config.file.regular_file import find_config_file
from weighbridge.config.policies.policy_files import (
    checked_file,
    note_repeated_names,
    policies_of,
    policy_drafts,
    policy_paths,
)
from weighbridge.config.policies.policy_settings import PolicyKeys
from weighbridge.config.yaml.draft import Draft
from weighbridge.config.yaml.faults import config_error
from weighbridge.domain.policy.policy import (
    DEFAULT_POLICIES,
    Policy,
    PolicySet,
    policy_set,
)

State: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Of each file its path, time of change, number of bytes and inode; 0 if absent."""


class PolicySource(Struct, frozen=True):
    """The policies in force.

    file:     the configuration file, None for no file
    patterns: what its `policy_files` names
    """

    policies: PolicySet = DEFAULT_POLICIES
    file: str | None = None
    patterns: tuple[str, ...] = ()

    def again(self) -> "PolicySource":
        """What the files say now, all of it. Raises ConfigError with every fault."""
        return self if self.file is None else read_policies(self.file)

    def state(self) -> State:
        """A value that changes whenever one of the files does."""
        if self.file is None:
            return ()
        folder = FilePath(self.file).parent
        return tuple(map(_state, (self.file, *policy_paths(folder, self.patterns))))


def load_policies(path: str | None, environ: Mapping[str, str]) -> PolicySource:
    """The policies of the file that `load_settings` would read."""
    file = find_config_file(path, environ)
    return PolicySource() if file is None else read_policies(file)


def read_policies(file: str) -> PolicySource:
    """The policies of this file, then those of the files that it names, by path.
    No other key of it is read. Raises ConfigError with every fault."""
    main = Draft()
    main.read_file(file)
    tree = {key: main.tree[key] for key in PolicyKeys.model_fields if key in main.tree}
    others = policy_drafts(main)
    note_repeated_names([main, *others])
    policies: list[Policy] = []
    patterns: tuple[str, ...] = ()
    try:
        keys = PolicyKeys.model_validate_json(json.dumps(tree))
    except ValidationError as exc:
        main.note_errors(exc, PolicyKeys)
    else:
        policies, patterns = policies_of(main, keys.policies), keys.policy_files
    for other in others:
        policies += checked_file(other)
    if faults := [fault for draft in (main, *others) for fault in draft.in_order()]:
        raise config_error(faults)
    return PolicySource(policy_set(policies), file, patterns)


def _state(path: str) -> tuple[str, int, int, int]:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return path, 0, 0, 0
    # st_mtime would not tell that a file which nobody could read now may be read.
    return path, found.st_ctime_ns, found.st_size, found.st_ino
