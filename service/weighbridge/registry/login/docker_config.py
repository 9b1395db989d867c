"""Credentials that `docker login` left in its config.json."""

import base64
import binascii
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from weighbridge.config.file.regular_file import read_regular, why_unreadable
from weighbridge.domain.image.document import Problem
from weighbridge.domain.limits import MIB
from weighbridge.domain.text.secret import Secret
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import ConfigError, WeighbridgeError
from weighbridge.registry.login.credential_helper import (
    IDENTITY_TOKEN,
    HelperError,
    Login,
)
from weighbridge.registry.login.credentials import (
    NO_OTHER_NAMES,
    Credential,
    LoginNames,
)

_FILE_BYTES: Final = MIB

Ask: TypeAlias = Callable[[str, str], Login | None]
"""Asks the helper of this name for the login of a server; raises HelperError."""


class DockerLogin(Struct, frozen=True):
    """What the file says for one registry.

    credential: None where it says nothing that we can use
    warning:    why a login that is there cannot be used, or None
    """

    credential: Credential | None = None
    warning: Problem | None = None


def docker_config_path(environ: Mapping[str, str], home: Path) -> Path:
    """The file that docker itself would read."""
    folder = environ.get("DOCKER_CONFIG", "")
    return (Path(folder) if folder else home / ".docker") / "config.json"


def _ask_nobody(name: str, server: str) -> Login | None:
    raise HelperError("credential helpers are not asked here")


def docker_config_credential(
    host: str,
    path: Path | None = None,
    ask: Ask = _ask_nobody,
    names: LoginNames = NO_OTHER_NAMES,
) -> DockerLogin:
    """The login for `host` (`name[:port]`); an absent file holds none.

    names: by which docker knows this registry

    1. The helper that `credHelpers` names for this host, and nothing else then.
    2. An entry of `auths`.
    3. The store that `credsStore` names.

    Raises ConfigError(docker_config) for a file that cannot be read.
    """
    if path is None or (config := _read(path)) is None:
        return DockerLogin()
    if helper := _helper(config, host, names):
        return _asked(ask, helper, host, names)
    for entry in _entries(config, host, names):
        if login := _login(entry, host, path):
            return login
    if isinstance(store := config.get("credsStore"), str) and store:
        return _asked(ask, store, host, names)
    return DockerLogin()


def _asked(ask: Ask, helper: str, host: str, names: LoginNames) -> DockerLogin:
    """What a helper knows of this host; why it says nothing is a warning, since the
    registry may want no login at all."""
    server = names.server if host.lower() in names.hosts else host
    try:
        login = ask(helper, server)
    except HelperError as exc:
        text = f"the docker login for {host} could not be had: {exc.message}"
        return DockerLogin(warning=Problem(exc.code, text))
    if login is None:
        return DockerLogin()
    if login.username == IDENTITY_TOKEN:
        return DockerLogin(warning=_unsupported(host, "an identity token"))
    return DockerLogin(Credential(login.username, login.secret))


def _read(path: Path) -> Mapping[str, object] | None:
    try:
        raw = read_regular(path, _FILE_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise _broken(path, f"it {why_unreadable(exc)}") from exc
    if len(raw) > _FILE_BYTES:
        raise _broken(path, "it is larger than 1 MiB")
    try:
        config = parse_json(raw)
    except WeighbridgeError as exc:
        # `from None`: the cause may quote the file, and the file holds passwords.
        raise _broken(path, f"it is not JSON ({exc.code})") from None
    if not isinstance(config, dict):
        raise _broken(path, "it is not a JSON object")
    return config


def _helper(config: Mapping[str, object], host: str, names: LoginNames) -> str:
    helpers = config.get("credHelpers")
    if not isinstance(helpers, dict):
        return ""
    for key, helper in helpers.items():
        if isinstance(helper, str) and helper and _is_same(key, host, names):
            return helper
    return ""


def _entries(
    config: Mapping[str, object], host: str, names: LoginNames
) -> list[Mapping[str, object]]:
    """The entries of this host, the key that is nothing but the host first."""
    auths = config.get("auths")
    if not isinstance(auths, dict):
        return []
    keys = [key for key in auths if _is_same(key, host, names)]
    keys.sort(key=lambda key: key != host)
    return [entry for key in keys if isinstance(entry := auths[key], dict)]


def _host_of(key: str) -> str:
    """`https://host/v1/`, `host/path` and `host` name the same registry."""
    _, scheme, rest = key.rpartition("://")
    return (rest if scheme else key).partition("/")[0].lower()


def _is_same(key: str, host: str, names: LoginNames) -> bool:
    found, host = _host_of(key), host.lower()
    return found == host or (found in names.hosts and host in names.hosts)


def _login(entry: Mapping[str, object], host: str, path: Path) -> DockerLogin | None:
    if entry.get("identitytoken"):
        return DockerLogin(warning=_unsupported(host, "an identity token"))
    if isinstance(token := entry.get("registrytoken"), str) and token:
        return DockerLogin(Credential(token=Secret(token)))
    username, password = entry.get("username"), entry.get("password")
    if isinstance(auth := entry.get("auth"), str) and auth:
        username, password = _split(auth, host, path)
    if not isinstance(username, str) or not isinstance(password, str) or not username:
        return None
    return DockerLogin(Credential(username, Secret(password)))


def _split(auth: str, host: str, path: Path) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _broken(path, f"`auth` of {host} is not base64 of UTF-8") from None
    username, colon, password = text.partition(":")
    if not colon:
        raise _broken(path, f"`auth` of {host} has no colon inside")
    # Old versions of docker padded the password with NUL.
    return username, password.strip("\x00")


def _unsupported(host: str, what: str) -> Problem:
    return Problem(
        "credential_store_unsupported",
        f"docker keeps the login for {host} as {what}, which is not read yet: give"
        " `auth` for this registry in weighbridge.yaml",
    )


def _broken(path: Path, reason: str) -> ConfigError:
    return ConfigError(
        f"{path}: {reason}",
        code="docker_config",
        hint="repair it, or run `docker login` again",
    )
