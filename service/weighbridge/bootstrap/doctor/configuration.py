"""Whether the configuration is right, and whether others can read its secrets."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from weighbridge.bootstrap.doctor.check import CheckResult, Installation
from weighbridge.config import Settings
from weighbridge.config.file.regular_file import read_regular
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import ConfigError
from weighbridge.presentation.forms.phrases import plural

CONFIGURATION = "configuration"
SECRETS = "secrets"
_BYTES: Final = 1024 * 1024


def faults_of_configuration(error: ConfigError) -> list[CheckResult]:
    """A line for each fault that was found; nothing else can be looked at then."""
    return [
        CheckResult(
            CONFIGURATION,
            "fault",
            line.strip(),
            error.hint or "correct it, and run this again: the rest was not checked",
            error.code,
        )
        for line in error.message.splitlines()
        if line.strip()
    ]


def look_at_configuration(installation: Installation, _: str) -> Iterator[CheckResult]:
    """It was read already: what it has, and what `config check` says besides."""
    settings, file = installation.settings, installation.file
    policies = installation.policies.policies.policies
    counted = [
        plural(len(settings.registries), "registry", "registries"),
        plural(len(policies), "policy", "policies"),
        plural(len(settings.channels), "channel"),
        plural(len(settings.webhooks), "webhook"),
    ]
    place = "no configuration file, the defaults hold" if file is None else file
    yield CheckResult(CONFIGURATION, "ok", f"{place}: {', '.join(counted)}")
    if not settings.registries:
        yield CheckResult(
            CONFIGURATION,
            "warning",
            "no registry is configured, so that nothing is crawled",
            "name one under registries: in weighbridge.yaml",
        )
    for line in bases_not_asked_for(settings):
        yield CheckResult(
            CONFIGURATION,
            "warning",
            line,
            "configure that registry, or take the name out of bases.repositories",
        )


def bases_not_asked_for(settings: Settings) -> Iterator[str]:
    """Each base that is written and whose registry nobody has configured, or that has
    the name of another one."""
    if "repositories" not in settings.bases.model_fields_set:
        return
    # Late: it loads every kind of registry.
    from weighbridge.bootstrap.registries.targets import base_repositories

    bases = base_repositories(settings)
    for base, name in bases.twice:
        yield (
            f"bases: {base} is not asked for: its name in FROM is that of a base for"
            f" which {name} is asked"
        )
    for base in bases.nowhere:
        yield (
            f"bases: {base} is not asked for: no registry of `registries` is"
            f" {base.registry}, or mirror_of: {base.registry}"
        )


def look_at_secrets(installation: Installation, _: str) -> Iterator[CheckResult]:
    """Whether anybody on the machine can read the files that hold secrets, or replace
    them. That we can read them was seen with the configuration."""
    files = sorted(set(_secret_files(installation)))
    open_files = [(file, fault) for file in files if (fault := _fault_of(file))]
    for file, fault in open_files:
        yield CheckResult(SECRETS, "warning", f"{file}: {fault}", f"chmod o= {file}")
    written = _with_written_secrets(installation)
    if written is not None and (fault := _fault_of(written)):
        yield CheckResult(
            SECRETS,
            "warning",
            f"{written} holds secrets itself: {fault}",
            "put them into files of their own, by keys that end in _file; or chmod o= "
            f"{written}",
        )
    if files and not open_files:
        counted = plural(len(files), "file")
        yield CheckResult(SECRETS, "ok", f"{counted} with secrets, closed to others")


def _with_written_secrets(installation: Installation) -> Path | None:
    """The configuration file, where one of its keys has a secret as its value."""
    if installation.file is None:
        return None
    file = Path(installation.file)
    try:
        text = read_regular(file, _BYTES).decode(errors="replace")
    except (OSError, ValueError):
        return None  # A pipe, or gone since.
    # Others come from the environment.
    is_written = any(secret in text for secret in _secrets_of(installation.settings))
    return file if is_written else None


def _secrets_of(value: object, key: str = "") -> Iterator[str]:
    """Of a URL only one with a password."""
    if isinstance(value, Secret):
        text = value.reveal()
        user = text.partition("://")[2].rpartition("@")[0]
        if key not in ("database_url", "redis_url") or ":" in user:
            yield text
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _secrets_of(each, key)
    elif isinstance(value, BaseModel):
        for name, each in value:
            yield from _secrets_of(each, name)


def _secret_files(installation: Installation) -> Iterator[Path]:
    yield from _files_of(installation.settings)
    for name, value in installation.environ.items():
        if name.startswith("WEIGHBRIDGE_") and name.endswith("_FILE") and value:
            yield Path(value)


def _files_of(value: object) -> Iterator[Path]:
    """Those of `_file` keys; a `ca_file` is for everybody."""
    if isinstance(value, tuple | list):
        for each in value:
            yield from _files_of(each)
    if not isinstance(value, BaseModel):
        return
    for key, each in value:
        if isinstance(each, Path):
            if key not in ("ca_file", "cert_file", "client_ca_file"):
                yield each
        elif key == "secret_files":
            yield from each
        else:
            yield from _files_of(each)


def _fault_of(file: Path) -> str:
    """What others may do with it, "" for nothing. A folder on its way that is closed to
    them closes the file, too."""
    try:
        real = file.resolve()
        mode = real.stat().st_mode
        ways = [folder.stat().st_mode for folder in real.parents]
    except OSError:
        return ""  # That it cannot be read is told where it is used.
    if not mode & (stat.S_IROTH | stat.S_IWOTH) or not all(
        way & stat.S_IXOTH for way in ways
    ):
        return ""
    may = "replace" if mode & stat.S_IWOTH else "read"
    return f"every user of this machine may {may} this secret"
