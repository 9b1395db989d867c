"""The keys of policies, in `weighbridge.yaml` and in files of their own; and how the
files that `policy_files` names are read, and again where they change: what is written
becomes policies."""

import glob
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path as FilePath
from typing import Annotated, Final, TypeAlias

from msgspec import Struct
from pydantic import (
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from weighbridge.config.file.regular_file import (
    FileState,
    file_state,
    find_config_file,
    why_unreadable,
)
from weighbridge.config.value.value_types import (
    PATTERNS,
    RepositoryPattern,
    StrictModel,
    TagPattern,
    text_of,
)
from weighbridge.config.yaml.draft import Draft, Fault, config_error
from weighbridge.config.yaml.reader import Path, line_of, mappings
from weighbridge.domain import limits
from weighbridge.domain.policy.base_limits import parse_base_pattern
from weighbridge.domain.policy.policy import (
    DEFAULT_POLICIES,
    KEYS,
    KeyPlace,
    Limits,
    Match,
    Policy,
    PolicySet,
    Severity,
    policy_set,
)
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import (
    parse_bytes,
    parse_duration,
    parse_percent,
    written_duration,
)
from weighbridge.errors import ConfigError, UsageError

NAME_CHARACTERS: Final = 63
PATH_CHARACTERS: Final = 1_024
DAY_S: Final = 24 * 3600
AGE_MAX_S: Final = 3660 * DAY_S

_REGISTRY_PATTERN: Final = re.compile(r"[A-Za-z0-9._:*\[\]-]+", re.ASCII)


def _label(value: object) -> str:
    """A name that becomes a label of metrics and is shown on pages."""
    text = text_of(value)
    if not text or text != printable(text.strip()) or len(text) > NAME_CHARACTERS:
        raise PydanticCustomError(
            "invalid_name",
            "must be 1 to {most} printable characters, without a space at either end",
            {"most": NAME_CHARACTERS},
        )
    return text


def _team(value: object) -> str | None:
    return None if value is None else _label(value)


def _registry_pattern(value: object) -> str:
    text = text_of(value)
    is_longer = len(text) > limits.REPOSITORY_NAME_CHARACTERS
    if is_longer or not _REGISTRY_PATTERN.fullmatch(text):
        raise PydanticCustomError(
            "bad_pattern",
            "is no pattern: a registry's name, in which * stands for any text",
        )
    return text


def _most(value: object, info: ValidationInfo) -> int | None:
    """A limit: no image weighs nothing, so 0 would only ever be a slip."""
    amount = _bytes(value, info)
    if amount == 0:
        raise PydanticCustomError("invalid_bytes", "must be more than 0: 500MB")
    return amount


def _bytes(value: object, info: ValidationInfo) -> int | None:
    if value is None or (info.mode == "python" and type(value) is int):
        return value
    text = _written(value, "invalid_bytes", "500MB or 500MiB")
    try:
        return parse_bytes(text)
    except UsageError as exc:
        raise PydanticCustomError(
            "invalid_bytes", "is no number of bytes: {hint}", {"hint": exc.hint}
        ) from exc


def _layers(value: object) -> int | None:
    if value is None:
        return value
    if type(value) is not int or not 1 <= value <= limits.LAYERS:
        raise PydanticCustomError(
            "invalid_layers",
            "must be a number of layers, from 1 to {most}",
            {"most": limits.LAYERS},
        )
    return value


def _percent(value: object, info: ValidationInfo) -> float | None:
    if value is None or (info.mode == "python" and type(value) is float):
        return value
    text = _written(value, "invalid_percent", "25%")
    try:
        return parse_percent(text)
    except UsageError as exc:
        raise PydanticCustomError(
            "invalid_percent",
            "is no percentage of 0% or more: {hint}",
            {"hint": exc.hint},
        ) from exc


def _bases(value: object) -> tuple[str, ...] | None:
    """An empty list would allow nothing that anybody could build on."""
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= PATTERNS:
        raise PydanticCustomError(
            "invalid_base_pattern",
            'must be a list of patterns, such as ["library/python:*-slim*"], or null',
        )
    return tuple(map(_base_pattern, value))


def _base_pattern(value: object) -> str:
    pattern = parse_base_pattern(text_of(value))
    if pattern is None:
        raise PydanticCustomError(
            "invalid_base_pattern",
            "is no pattern of bases: a reference as in FROM, in which * stands for any"
            " text, such as library/python:*-slim*",
        )
    return pattern


def _age(value: object, info: ValidationInfo) -> int | None:
    if value is None or (info.mode == "python" and type(value) is int):
        return value
    text = _written(value, "invalid_base_age", "90d")
    try:
        seconds = parse_duration(text)
    except UsageError as exc:
        raise PydanticCustomError(
            "invalid_base_age", "is no duration: write 90d or 12w"
        ) from exc
    if not DAY_S <= seconds <= AGE_MAX_S:
        raise PydanticCustomError("invalid_base_age", "must be from 1d to 3660d")
    return seconds


def _written(value: object, code: str, right: str) -> str:
    """Sizes and percentages are texts; YAML reads `500` and `0.25` as numbers."""
    if isinstance(value, str):
        return value
    words = "needs a unit: {right}" if _is_number(value) else "must be {right}, or null"
    raise PydanticCustomError(code, words, {"right": right})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _path_pattern(value: object) -> str:
    text = text_of(value)
    if not text or "\0" in text or len(text) > PATH_CHARACTERS:
        raise PydanticCustomError(
            "invalid_file", "must be the path of a file, with * for any part of a name"
        )
    return text


PolicyName = Annotated[str, PlainValidator(_label)]
Team = Annotated[str | None, PlainValidator(_team)]
RegistryPattern = Annotated[str, PlainValidator(_registry_pattern)]
Most = Annotated[int | None, PlainValidator(_most)]
Bytes = Annotated[int | None, PlainValidator(_bytes)]
Layers = Annotated[int | None, PlainValidator(_layers)]
Bases = Annotated[tuple[str, ...] | None, PlainValidator(_bases)]
Age = Annotated[
    int | None,
    PlainValidator(_age),
    PlainSerializer(lambda value: None if value is None else written_duration(value)),
]
Percent = Annotated[float | None, PlainValidator(_percent)]
PathPattern = Annotated[str, PlainValidator(_path_pattern)]


class MatchSettings(StrictModel):
    """Which images a policy is about; `*` matches across `/`."""

    registry: RegistryPattern = "*"
    repository: RepositoryPattern = "*"
    tag: TagPattern = "*"

    @property
    def match(self) -> Match:
        return Match(self.registry, self.repository, self.tag)


class PolicySettings(StrictModel):
    """One policy. A key that was not written is left to the next policy that
    matches; `null` says that there is no such limit."""

    name: PolicyName
    match: MatchSettings = MatchSettings()
    team: Team = None
    max_compressed: Most = None
    max_uncompressed: Most = None
    max_growth: Percent = None
    min_growth: Bytes = None
    max_layers: Layers = None
    max_layer_compressed: Most = None
    allowed_bases: Bases = None
    max_base_age: Age = None
    notify_base_moved: bool | None = None
    max_deduplicated: Most = None
    severity: Severity = "warning"

    @property
    def limits(self) -> Limits:
        return Limits(
            team=self.team,
            max_compressed_bytes=self.max_compressed,
            max_uncompressed_bytes=self.max_uncompressed,
            max_growth=self.max_growth,
            min_growth_bytes=self.min_growth,
            max_layers=self.max_layers,
            max_layer_compressed_bytes=self.max_layer_compressed,
            allowed_bases=self.allowed_bases,
            max_base_age_s=self.max_base_age,
            notify_base_moved=True if self.notify_base_moved else None,
            max_deduplicated_bytes=self.max_deduplicated,
            severity=self.severity,
        )


Policies = Annotated[tuple[PolicySettings, ...], Field(max_length=PATTERNS)]
PathPatterns = Annotated[tuple[PathPattern, ...], Field(max_length=PATTERNS)]


class PolicyFileSettings(StrictModel):
    """A file that `policy_files` names."""

    policies: Policies = ()


class PolicyKeys(StrictModel):
    """What `weighbridge.yaml` says of policies: the part that is read again."""

    policies: Policies = ()
    policy_files: PathPatterns = ()


State: TypeAlias = tuple[FileState, ...]


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
        return tuple(map(file_state, (self.file, *policy_paths(folder, self.patterns))))


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
