"""Reads the settings: options over environment over file over defaults."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Final

from pydantic import ValidationError

from weighbridge.config.across import clashes
from weighbridge.config.document import Path
from weighbridge.config.draft import DATABASE_URL, Draft
from weighbridge.config.faults import (
    Fault,
    code_of,
    config_error,
    message_of,
    path_of,
    shown,
)
from weighbridge.config.settings import Settings

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+_]*:", re.ASCII)
DEFAULT_FILES: Final = ("weighbridge.yaml", "/etc/weighbridge/weighbridge.yaml")

_VARIABLES: Final[Mapping[str, Path]] = {
    "WEIGHBRIDGE_BIND": ("web", "bind"),
    "WEIGHBRIDGE_LOG_FORMAT": ("log_format",),
    "WEIGHBRIDGE_LOG_LEVEL": ("log_level",),
}


def load_settings(
    path: str | None,
    environ: Mapping[str, str],
    *,
    database_url: str | None = None,
    bind: str | None = None,
) -> Settings:
    """The settings, checked.

    path:         the file that was asked for, None to look where it usually is
    database_url: what `--database` says, a URL or the path of an SQLite file
    bind:         what `--bind` says
    Raises ConfigError with a line for each fault that could be found.
    """
    draft = Draft()
    file = find_config_file(path, environ)
    if file is not None:
        draft.read_file(file)
    _read_environment(draft, environ)
    draft.overlay(DATABASE_URL, _as_url(database_url), "--database")
    draft.overlay(("web", "bind"), bind, "--bind")
    draft.settle_database_url(default_database_url(environ))
    return _checked(draft)


def find_config_file(path: str | None, environ: Mapping[str, str]) -> str | None:
    """The file to read: `--config`, WEIGHBRIDGE_CONFIG, or the first of the usual
    ones that is there. None for no file."""
    wanted = path or environ.get("WEIGHBRIDGE_CONFIG")
    if wanted:
        return wanted
    return next((name for name in DEFAULT_FILES if FilePath(name).exists()), None)


def default_database_url(environ: Mapping[str, str]) -> str:
    """SQLite in the user's data folder (XDG Base Directory Specification, by which
    relative values are ignored); in the working folder where there is no home."""
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
    variable, twin = "WEIGHBRIDGE_DATABASE_URL", "WEIGHBRIDGE_DATABASE_URL_FILE"
    value, file = environ.get(variable), environ.get(twin)
    if value is not None and file is not None:
        message = f"excludes {twin}: keep one"
        draft.faults.append(Fault(variable, DATABASE_URL, message, "twin_keys"))
    elif file is not None:
        draft.read_database_url(FilePath(file), twin)
    else:
        draft.overlay(DATABASE_URL, value, variable)


def _checked(draft: Draft) -> Settings:
    for path, clash in clashes(draft.tree):
        draft.note((*path, clash.key), clash.message, clash.code, clash.shown)
    try:
        settings = Settings.model_validate_json(
            json.dumps(draft.tree), context={"folder": draft.folder}
        )
    except ValidationError as exc:
        draft.faults += _new_faults(draft, exc)
    else:
        if not draft.faults:
            return settings
    # Outside of the handler: pydantic's error, which knows the secrets that it was
    # given, is to be no cause of ours.
    raise config_error(draft.in_order())


def _new_faults(draft: Draft, error: ValidationError) -> Iterator[Fault]:
    """Pydantic's, but for places that are known to be wrong already, and for lists
    that are too short only because an item of theirs is wrong."""
    known = [fault.path for fault in draft.faults if fault.path]
    details_of = {path_of(details): details for details in error.errors()}
    for path, details in details_of.items():
        if any(path[: len(wrong)] == wrong for wrong in known):
            continue
        if details["type"] == "too_short" and any(
            other[: len(path)] == path for other in details_of if other != path
        ):
            continue
        yield Fault(
            draft.place(path),
            path,
            message_of(details, Settings),
            code_of(details),
            shown(details),
        )
