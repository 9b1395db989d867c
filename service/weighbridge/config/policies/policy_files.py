"""Reads the files that `policy_files` names, and again where they change; what is
written becomes policies."""

import glob
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path as FilePath
from typing import Final, TypeAlias

from msgspec import Struct
from pydantic import ValidationError

from weighbridge.config.file.regular_file import find_config_file, why_unreadable
from weighbridge.config.policies.policy_settings import (
    PolicyFileSettings,
    PolicyKeys,
    PolicySettings,
)
from weighbridge.config.yaml.draft import Draft, Fault, config_error
from weighbridge.config.yaml.reader import Path, line_of, mappings
from weighbridge.domain.policy.policy import (
    DEFAULT_POLICIES,
    KEYS,
    KeyPlace,
    Policy,
    PolicySet,
    policy_set,
)
from weighbridge.errors import ConfigError

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


FILES: Final = 1_000
POLICY_FILES: Final[Path] = ("policy_files",)


def policy_paths(folder: FilePath, patterns: Iterable[str]) -> list[str]:
    """The files that the patterns name, by path, each once; relative patterns start
    at `folder`. A name without a wildcard is there whether the file is or not."""
    found: set[str] = set()
    for pattern in patterns:
        is_name = not glob.has_magic(pattern)
        names = [pattern] if is_name else glob.glob(pattern, root_dir=folder)
        found.update(str(folder / name) for name in names)
    return sorted(found)


def policy_drafts(main: Draft) -> list[Draft]:
    """Every file that the main one names, read. What is wrong with the YAML of one,
    or keeps it from being read, is among its faults."""
    patterns = main.tree.get(str(POLICY_FILES[0]))
    written = patterns if isinstance(patterns, list) else []
    usable: list[str] = []
    for number, pattern in enumerate(written):
        if isinstance(pattern, str) and pattern and "\0" not in pattern:
            usable.append(pattern)
            _note_lost_folder(main, number, pattern)
    paths = policy_paths(main.folder, usable)
    if len(paths) > FILES:
        message = f"name {len(paths):,} files: at most {FILES:,} are read"
        main.note(POLICY_FILES, message, "too_large")
        return []
    return [_read(path) for path in paths]


def _note_lost_folder(main: Draft, number: int, pattern: str) -> None:
    """A folder may be empty. One that is not there or is closed to us is a slip, or was
    not mounted, and to go on without its policies would end every alert that they are
    for."""
    if not glob.has_magic(pattern):
        return
    parts = takewhile(lambda part: not glob.has_magic(part), FilePath(pattern).parts)
    folder = FilePath(main.folder, *parts)
    try:
        # glob finds nothing in a folder that cannot be read, and says nothing.
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        message = f"there is no folder {folder}"
    except OSError as exc:
        message = f"cannot read folder {folder}: {exc.strerror}"
    else:
        return
    path: Path = (*POLICY_FILES, number)
    main.note(path, message, "unreadable_file", pattern)


def read_policy_files(paths: Iterable[str]) -> list[Policy]:
    """The policies of these files, in their order. Raises ConfigError with every
    fault."""
    drafts = [_read(path) for path in paths]
    note_repeated_names(drafts)
    policies = [policy for draft in drafts for policy in checked_file(draft)]
    if faults := [fault for draft in drafts for fault in draft.in_order()]:
        raise config_error(faults)
    return policies


def note_repeated_names(drafts: Iterable[Draft]) -> None:
    """Note each policy whose name an earlier one has, in whatever file."""
    seen: dict[str, str] = {}
    for draft in drafts:
        for path, name in _names(draft):
            if name in seen:
                message = f"is the name of another policy too: {seen[name]}"
                draft.note(path, message, "duplicate_name", name)
            else:
                seen[name] = draft.place(path)


def checked_file(draft: Draft) -> list[Policy]:
    """The policies of a file; what is wrong is among the draft's faults."""
    try:
        settings = PolicyFileSettings.model_validate_json(json.dumps(draft.tree))
    except ValidationError as exc:
        draft.note_errors(exc, PolicyFileSettings)
        return []
    return policies_of(draft, settings.policies)


def policies_of(draft: Draft, entries: Sequence[PolicySettings]) -> list[Policy]:
    """What was written under `policies`, with the place of each key."""
    return [_policy(draft, number, entry) for number, entry in enumerate(entries)]


def _policy(draft: Draft, number: int, entry: PolicySettings) -> Policy:
    def place(key: str) -> KeyPlace:
        line = line_of(draft.root, ("policies", number, key)) if draft.root else 0
        return KeyPlace(draft.file, line)

    written = entry.model_fields_set
    return Policy(
        name=entry.name,
        match=entry.match.match,
        limits=entry.limits,
        places={key: place(key) for key in KEYS if key in written},
    )


def _read(path: str) -> Draft:
    draft = Draft(file=path, example="policies")
    try:
        draft.read_file(path)
    except ConfigError as exc:
        # Its text names the file once more.
        if isinstance(exc.__cause__, OSError | ValueError):
            why = why_unreadable(exc.__cause__)
            draft.faults.append(Fault(path, (), why, "unreadable_file"))
    return draft


def _names(draft: Draft) -> Iterator[tuple[Path, str]]:
    for number, entry in mappings(draft.tree.get("policies")):
        name = entry.get("name")
        if isinstance(name, str):
            yield ("policies", number, "name"), name
