"""Reads the settings: options over environment over file over defaults.

Entries of one address are allowed where they can never want the same repository: an
address is one registry, so its repositories are one set, and each of them is crawled by
one entry, with that entry's credential.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations
from pathlib import Path as FilePath
from typing import Final, NamedTuple

from pydantic import ValidationError

from weighbridge.config.file.regular_file import find_config_file
from weighbridge.config.kinds import Kinds
from weighbridge.config.policies.policy_files import (
    checked_file,
    note_repeated_names,
    policy_drafts,
)
from weighbridge.config.registries.registry_settings import RegistrySettings
from weighbridge.config.settings import Settings
from weighbridge.config.value.clashes import Clash, clashes
from weighbridge.config.webhook_settings import webhook_clashes
from weighbridge.config.yaml.draft import (
    DATABASE_URL,
    REDIS_URL,
    Draft,
    Fault,
    config_error,
)
from weighbridge.config.yaml.reader import Path, Plain
from weighbridge.domain.registry.listing import registry_address
from weighbridge.domain.text.globs import common_name

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+_]*:", re.ASCII)

_VARIABLES: Final[Mapping[str, Path]] = {
    "WEIGHBRIDGE_BIND": ("web", "bind"),
    "WEIGHBRIDGE_LOG_FORMAT": ("log_format",),
    "WEIGHBRIDGE_LOG_LEVEL": ("log_level",),
}


def load_settings(
    path: str | None,
    environ: Mapping[str, str],
    kinds: Kinds,
    *,
    database_url: str | None = None,
    bind: str | None = None,
    policy_files: bool = True,
) -> Settings:
    """The settings, checked.

    path:         the file that was asked for, None to look where it usually is
    kinds:        which kinds of registries and channels there are
    database_url: what `--database` says, a URL or the path of an SQLite file
    bind:         what `--bind` says
    policy_files: whether files of policies are checked too
    Raises ConfigError with a line for each fault that could be found.
    """
    return load_with_origins(
        path,
        environ,
        kinds,
        database_url=database_url,
        bind=bind,
        policy_files=policy_files,
    )[0]


def load_with_origins(
    path: str | None,
    environ: Mapping[str, str],
    kinds: Kinds,
    *,
    database_url: str | None = None,
    bind: str | None = None,
    policy_files: bool = True,
) -> tuple[Settings, Draft]:
    """The same, and what was written, which knows where each value is from."""
    draft = Draft()
    file = find_config_file(path, environ)
    if file is not None:
        draft.read_file(file)
    _read_environment(draft, environ)
    draft.overlay(DATABASE_URL, _as_url(database_url), "--database")
    draft.overlay(("web", "bind"), bind, "--bind")
    draft.settle_urls(default_database_url(environ))
    others = policy_drafts(draft) if policy_files else []
    note_repeated_names([draft, *others])
    return _checked(draft, others, kinds), draft


def default_database_url(environ: Mapping[str, str]) -> str:
    """SQLite in the folder that systemd, or the image, gives a service; else in the
    user's data folder (XDG Base Directory Specification, by which relative values are
    ignored); in the working folder where there is no home."""
    # systemd.exec: several folders are separated by colons.
    state = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if state.startswith("/"):
        return f"sqlite:///{state}/weighbridge.db"
    data = environ.get("XDG_DATA_HOME", "")
    if data.startswith("/"):
        return f"sqlite:///{data}/weighbridge/weighbridge.db"
    home = environ.get("HOME", "")
    if home.startswith("/"):
        return f"sqlite:///{home}/.local/share/weighbridge/weighbridge.db"
    return "sqlite:///weighbridge.db"


def _as_url(database: str | None) -> str | None:
    """A path is an SQLite file, as nobody types `sqlite:///` twice. A `?` would end
    the path in a URL, so it is left to be refused."""
    if not database or "?" in database or _SCHEME.match(database):
        return database
    return f"sqlite:///{database}"


def _read_environment(draft: Draft, environ: Mapping[str, str]) -> None:
    for variable, path in _VARIABLES.items():
        # Compose files hand unset variables on as empty ones.
        draft.overlay(path, environ.get(variable) or None, variable)
    _read_url(
        draft,
        environ,
        DATABASE_URL,
        ("WEIGHBRIDGE_DATABASE_URL", "WEIGHBRIDGE_DATABASE_URL_FILE"),
    )
    # Without Redis nothing is wrong: a variable without a value is none.
    given = {name: value for name, value in environ.items() if value}
    _read_url(
        draft, given, REDIS_URL, ("WEIGHBRIDGE_REDIS_URL", "WEIGHBRIDGE_REDIS_URL_FILE")
    )


def _read_url(
    draft: Draft, environ: Mapping[str, str], path: Path, variables: tuple[str, str]
) -> None:
    """A URL that may hold a password: in the variable, or in the file of its twin."""
    variable, twin = variables
    value, file = environ.get(variable), environ.get(twin)
    if value is not None and file is not None:
        message = f"excludes {twin}: keep one"
        draft.faults.append(Fault(variable, path, message, "twin_keys"))
    elif file is not None:
        draft.read_url(path, FilePath(file), twin)
    else:
        draft.overlay(path, value, variable)


def _checked(draft: Draft, others: Sequence[Draft], kinds: Kinds) -> Settings:
    tree = draft.tree
    kinds.imply_urls(tree)
    entries = list(_entries(kinds, tree.get("registries"), draft.folder))
    for path, clash in chain(
        clashes(tree),
        address_clashes(kinds, entries),
        kinds.route_clashes(tree),
        webhook_clashes(tree, part_names(entries)),
    ):
        draft.note((*path, clash.key), clash.message, clash.code, clash.shown)
    settings: Settings | None = None
    try:
        settings = kinds.settings.model_validate_json(
            json.dumps(draft.tree), context={"folder": draft.folder}
        )
    except ValidationError as exc:
        draft.note_errors(exc, kinds.written)
    for other in others:
        checked_file(other)
    faults = [fault for each in (draft, *others) for fault in each.in_order()]
    if settings is None or faults:
        # Outside of the handler: pydantic's error, which knows the secrets that it
        # was given, is to be no cause of ours.
        raise config_error(faults)
    return settings


class _Entry(NamedTuple):
    """A registry with the number of the entry that it is, or is a part of."""

    number: int
    settings: RegistrySettings

    @property
    def is_part(self) -> bool:
        return self.settings.entry != self.settings.name


def address_clashes(
    kinds: Kinds, entries: Sequence[_Entry]
) -> Iterator[tuple[Path, Clash]]:
    """Each entry that may want a repository which an earlier one of its address wants
    too, with the path of its mapping. Entries that are wrong themselves are left to
    their own checks."""
    by_address: dict[str, list[_Entry]] = {}
    named: dict[str, _Entry] = {}
    for entry in entries:
        name = entry.settings.name
        earlier = named.setdefault(name, entry)
        # Of two entries that are called so themselves the file's reader tells.
        if earlier.number != entry.number and (earlier.is_part or entry.is_part):
            words = f"two entries make a registry {name}: rename one"
            yield ("registries", entry.number), Clash("name", "duplicate_name", words)
        address = registry_address(entry.settings.url, kinds.hosts)
        by_address.setdefault(address, []).append(entry)
    for address, same in by_address.items():
        for one, later in combinations(same, 2):
            clash = _clash(address, one.settings, later.settings)
            if clash is not None:
                yield ("registries", later.number), clash


def part_names(entries: Sequence[_Entry]) -> Mapping[str, Sequence[str]]:
    """The names of the registries that each entry is which is several; none of those
    that are wrong themselves."""
    names: dict[str, list[str]] = {}
    for entry in entries:
        if entry.is_part:
            names.setdefault(entry.settings.entry, []).append(entry.settings.name)
    return names


def _entries(kinds: Kinds, registries: Plain, folder: FilePath) -> Iterator[_Entry]:
    for number, entry in enumerate(registries if isinstance(registries, list) else []):
        try:
            settings = kinds.entry.validate_json(
                json.dumps(entry), context={"folder": folder}
            )
        except ValidationError:
            continue
        for part in settings.parts():
            yield _Entry(number, part)


def _clash(
    address: str, earlier: RegistrySettings, later: RegistrySettings
) -> Clash | None:
    name = common_name(earlier.wanted_repositories, later.wanted_repositories)
    if name is None or earlier.name == later.name:
        return None
    both = f"{earlier.name} and {later.name}"
    example = f", such as {name}" if name else ""
    words = (
        f"{both} are one registry ({address}) and both may include the same "
        f"repository{example}: keep them apart by repositories.include and exclude"
    )
    return Clash("url", "overlapping_registries", words, later.url)
