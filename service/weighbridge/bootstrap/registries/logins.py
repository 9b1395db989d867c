"""Who asks a registry: the credential of its entry, or of the person who names it."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct

from weighbridge.bootstrap.registries.targets import Target, login_of
from weighbridge.config.file.regular_file import SeenFiles, read_secret_file
from weighbridge.config.registries.registry_settings import AuthSettings
from weighbridge.config.value.written_address import prefix_of
from weighbridge.domain.image.document import Problem
from weighbridge.errors import ConfigError
from weighbridge.registry.kinds.kind_table import REGISTRY_KINDS
from weighbridge.registry.login.credentials import (
    NO_OTHER_NAMES,
    Credential,
    CredentialSource,
    LoginNames,
)
from weighbridge.registry.login.docker_config import (
    DockerLogin,
    ask_helper,
    docker_config_credential,
)
from weighbridge.registry.login.kept_login import KeptLogin


class TargetLogin(Struct, frozen=True):
    """Who asks, as it is known now.

    credential: None for nobody
    source:     where it is read again; None where it is not in a file
    way:        where it is from, for people; never the secret
    seen:       the files of the entry, as they were before they were read
    """

    credential: Credential | None = None
    source: CredentialSource | None = None
    warnings: tuple[Problem, ...] = ()
    way: str = "no credential"
    seen: SeenFiles = SeenFiles()


NO_LOGIN: Final = TargetLogin()


def find_login(target: Target, docker_config: Path | None) -> TargetLogin:
    """Raises ConfigError (secret_file, docker_config), UsageError (no_password,
    invalid_credential)."""
    configured = target.settings
    if configured is None:
        return _of_address(target, docker_config)
    seen = SeenFiles.of(configured.files)
    auth = configured.auth
    if auth is None:
        return TargetLogin(way=_KIND_S_OWN if configured.signs_in else NO_LOGIN.way)
    if auth.is_ambient:
        return TargetLogin(way="the credentials of this machine", seen=seen)
    read = partial(_configured, auth, _host_of(target), prefix_of(target.url))
    found = read()
    credential = found.credential
    source = None
    if credential is not None and auth.file is not None:
        source = KeptLogin(credential, seen, lambda: read().credential)
    return TargetLogin(credential, source, way=_way(auth, credential), seen=seen)


_KIND_S_OWN: Final = "what this kind has keys of its own for"


def _configured(auth: AuthSettings, host: str, prefix: str) -> DockerLogin:
    if auth.token_file is not None:
        return DockerLogin(Credential(token=read_secret_file(auth.token_file)))
    if auth.docker_config is None:
        return DockerLogin(Credential(auth.username or "", auth.current_password()))
    login = _docker_login(host, auth.docker_config, prefix, must_exist=True)
    if login.credential is None:
        lacking = f"{auth.docker_config} has no login for {host}"
        raise ConfigError(
            lacking if login.warning is None else login.warning.message,
            code="docker_config",
            hint=f"run `docker login {host}` and mount what it writes, or remove `auth`"
            " where the registry lets everybody read",
        )
    return login


def _of_address(target: Target, docker_config: Path | None) -> TargetLogin:
    host = _host_of(target)
    docker: Callable[[], DockerLogin] = partial(_docker_login, host, docker_config)
    login = login_of(target.access, host, docker)
    way = NO_LOGIN.way
    if target.access.password is not None:
        way = f"{login.credential}, given with the command"
    elif login.credential is not None:
        way = f"{login.credential}, of docker login in {docker_config}"
    return TargetLogin(
        login.credential,
        warnings=(login.warning,) if login.warning else (),
        way=way,
    )


def _way(auth: AuthSettings, credential: Credential | None) -> str:
    where = "the configuration" if auth.file is None else str(auth.file)
    return f"{credential}, from {where}"


def _docker_login(
    host: str, path: Path | None, prefix: str = "", *, must_exist: bool = False
) -> DockerLogin:
    ask = partial(ask_helper, environ=os.environ)
    names = _login_names(host)
    return docker_config_credential(
        host, path, ask, names, prefix=prefix, must_exist=must_exist
    )


def _host_of(target: Target) -> str:
    """docker itself knows no prefixes."""
    return target.url.partition("://")[2].partition("/")[0]


def _login_names(host: str) -> LoginNames:
    """What docker calls the registry of this host, whatever its kind is said to be."""
    known = (kind.login_names for kind in REGISTRY_KINDS.values())
    return next((names for names in known if host in names.hosts), NO_OTHER_NAMES)
