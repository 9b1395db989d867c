"""Credentials that `docker login` left in its config.json, or with a helper of
docker's.

Such a program is asked by `docker-credential-NAME get`. The protocol is
docker/docker-credential-helpers: the server's address on stdin, and on stdout
`{"ServerURL", "Username", "Secret"}`, or a message where it ends with an error. The
program is the user's own, but what it prints is read like a stranger's, and it gets
neither our environment nor much of our time.
"""

import base64
import binascii
import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, TypeAlias

from msgspec import Struct

from weighbridge.config.file.regular_file import read_regular, why_unreadable
from weighbridge.domain.image.document import Problem
from weighbridge.domain.limits import KIB, MIB
from weighbridge.domain.text.masking import mask
from weighbridge.domain.text.printable import Secret, printable
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import ConfigError, WeighbridgeError
from weighbridge.registry.login.credentials import (
    NO_OTHER_NAMES,
    Credential,
    LoginNames,
)

DEADLINE_S: Final = 5.0
_ANSWER_BYTES: Final = 64 * KIB
_TOLD_CHARACTERS: Final = 120
_MASKED_CHARACTERS: Final = 1_000
_NAME: Final = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_NOT_FOUND: Final = "credentials not found in native keychain"
_ENVIRONMENT: Final = ("PATH", "HOME")
IDENTITY_TOKEN: Final = "<token>"  # noqa: S105 - docker's word in place of a user name


class HelperError(WeighbridgeError):
    """A helper gave no answer that can be used; what it printed is not repeated in
    full."""

    code = "credential_helper_failed"


class Login(Struct, frozen=True):
    """What a helper knows. `username` may be `IDENTITY_TOKEN`."""

    username: str
    secret: Secret


def ask_helper(
    name: str,
    server: str,
    environ: Mapping[str, str],
    *,
    deadline_s: float = DEADLINE_S,
) -> Login | None:
    """The login that `docker-credential-NAME` has for a server, None for none.

    environ: where PATH and HOME are; the helper sees nothing else of it
    Raises HelperError.
    """
    if not _NAME.fullmatch(name):
        shown = printable(name, 40)
        raise HelperError(
            f"{shown!r} is no name of a credential helper: small letters, digits and -"
        )
    program = f"docker-credential-{name}"
    path = shutil.which(program, path=_search_path(environ))
    if path is None:
        raise HelperError(f"{program} is not in PATH")
    known = {key: environ[key] for key in _ENVIRONMENT if key in environ}
    status, said, complained = _run(program, path, server, known, deadline_s)
    if status == 0:
        return _parsed(program, said)
    if _NOT_FOUND in said.decode(errors="replace"):
        return None
    raise HelperError(f"{program} ended with status {status}{_told(complained)}")


def _search_path(environ: Mapping[str, str]) -> str:
    """Without relative folders: what lies where we happen to be is not run."""
    folders = environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if os.path.isabs(folder))


def _run(
    program: str, path: str, server: str, environ: Mapping[str, str], deadline_s: float
) -> tuple[int, bytes, bytes]:
    """Its exit status, and what it wrote to stdout and stderr. What does not end by
    itself is killed."""
    try:
        process = subprocess.Popen(  # noqa: S603 - a checked name, no shell
            [path, "get"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            bufsize=0,
            cwd="/",
            start_new_session=True,
        )
    except OSError as exc:
        raise HelperError(f"{program} cannot be run: {exc.strerror}") from exc
    with process:
        try:
            return _talk(program, process, server, time.monotonic() + deadline_s)
        except BaseException:
            # With whatever it has started: a child may hold the pipes open.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def _talk(
    program: str, process: subprocess.Popen[bytes], server: str, ends_at: float
) -> tuple[int, bytes, bytes]:
    if process.stdin is not None:
        # A name fits into a pipe, so this never waits; who does not read it has ended.
        with suppress(BrokenPipeError):
            process.stdin.write(server.encode())
        process.stdin.close()
    said = _listen(program, [process.stdout, process.stderr], ends_at)
    try:
        status = process.wait(max(0.0, ends_at - time.monotonic()))
    except subprocess.TimeoutExpired as exc:
        raise HelperError(f"{program} did not end in time") from exc
    return status, said[0], said[1]


def _listen(
    program: str, pipes: Sequence[IO[bytes] | None], ends_at: float
) -> list[bytes]:
    """What comes out of each pipe until all are closed."""
    said = {pipe.fileno(): b"" for pipe in pipes if pipe is not None}
    with selectors.DefaultSelector() as selector:
        for number in said:
            selector.register(number, selectors.EVENT_READ)
        while selector.get_map():
            left_s = ends_at - time.monotonic()
            ready = selector.select(left_s) if left_s > 0 else []
            if not ready:
                raise HelperError(f"{program} did not answer in time")
            for key, _ in ready:
                piece = os.read(key.fd, 8 * KIB)
                if not piece:
                    selector.unregister(key.fd)
                said[key.fd] += piece
                if len(said[key.fd]) > _ANSWER_BYTES:
                    raise HelperError(f"{program} printed more than any login has")
    return list(said.values())


def _parsed(program: str, raw: bytes) -> Login:
    try:
        answer = parse_json(raw)
    except WeighbridgeError:
        # `from None`: the cause may quote what was printed, which is a password.
        raise HelperError(f"{program} printed no JSON") from None
    if isinstance(answer, dict):
        username, secret = answer.get("Username"), answer.get("Secret")
        if isinstance(username, str) and isinstance(secret, str) and username:
            return Login(username, Secret(secret))
    raise HelperError(f"{program} printed no user name with a secret")


def _told(complained: bytes) -> str:
    """The first line of its stderr, cut, and masked like a build's history."""
    first = complained.decode(errors="replace").strip().partition("\n")[0]
    if not first:
        return ""
    return f": {printable(mask(first[:_MASKED_CHARACTERS]), _TOLD_CHARACTERS)}"


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
    *,
    prefix: str = "",
    must_exist: bool = False,
) -> DockerLogin:
    """The login for `host` (`name[:port]`); an absent file holds none.

    names:      by which docker knows this registry
    prefix:     of the registry's paths at this host, "" for none. Then a login of the
                host with this path is asked for first, one with another path never
    must_exist: somebody has named the file: that it is absent is an error

    1. The helper that `credHelpers` names for this host, and nothing else then.
    2. An entry of `auths`.
    3. The store that `credsStore` names.

    Raises ConfigError(docker_config) for a file that cannot be read.
    """
    if path is None or (config := _read(path, must_exist=must_exist)) is None:
        return DockerLogin()
    path_of_login = prefix.strip("/")
    if helper := _helper(config, host, names, path_of_login):
        return _asked(ask, helper, host, names)
    for entry in _entries(config, host, names, path_of_login):
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
    return DockerLogin(Credential(login.username, login.secret))


def _read(path: Path, *, must_exist: bool) -> Mapping[str, object] | None:
    try:
        raw = read_regular(path, _FILE_BYTES)
    except (OSError, ValueError) as exc:
        if isinstance(exc, FileNotFoundError) and not must_exist:
            return None
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


def _helper(
    config: Mapping[str, object], host: str, names: LoginNames, path: str
) -> str:
    helpers = config.get("credHelpers")
    if not isinstance(helpers, dict):
        return ""
    for key, helper in helpers.items():
        if not isinstance(helper, str) or not helper:
            continue
        if _is_same(key, host, names) and _fits(key, path):
            return helper
    return ""


def _entries(
    config: Mapping[str, object], host: str, names: LoginNames, path: str
) -> list[Mapping[str, object]]:
    """The entries of this host: the key that has the path too first, then the one that
    is nothing but the host; those of several hosts last, and of these the one that says
    most of it."""
    auths = config.get("auths")
    if not isinstance(auths, dict):
        return []
    keys = [key for key in auths if _is_same(key, host, names) and _fits(key, path)]
    keys.sort(key=lambda key: (bool(path) and _path_of(key) != path, key != host))
    of_several = [
        key
        for key in auths
        if _fits_host(_host_of(key), host.lower()) and _fits(key, path)
    ]
    of_several.sort(key=lambda key: -len(_host_of(key).replace("*", "")))
    keys += (key for key in of_several if key not in keys)
    return [entry for key in keys if isinstance(entry := auths[key], dict)]


def _host_of(key: str) -> str:
    """`https://host/v1/`, `host/path` and `host` name the same registry."""
    _, scheme, rest = key.rpartition("://")
    return (rest if scheme else key).partition("/")[0].lower()


def _path_of(key: str) -> str:
    """What follows the host, without the version of the protocol."""
    _, scheme, rest = key.rpartition("://")
    path = (rest if scheme else key).partition("/")[2].strip("/")
    return re.sub(r"(?:^|/)v[12]$", "", path)


def _fits(key: str, path: str) -> bool:
    """Whether a login may be shown to a registry below this path, "" for none."""
    return not path or _path_of(key) in ("", path)


def _is_same(key: str, host: str, names: LoginNames) -> bool:
    found, host = _host_of(key), host.lower()
    return found == host or (found in names.hosts and host in names.hosts)


def _fits_host(pattern: str, host: str) -> bool:
    """Whether a key such as `*.example.com` means this host too: `*` stands for any
    text inside one label, and for no port (Kubernetes, "Images", "Interpretation of
    config.json")."""
    (name, port), (wanted, number) = (_split_port(text) for text in (pattern, host))
    pairs = name.split("."), wanted.split(".")
    if "*" not in name or port != number or len(pairs[0]) != len(pairs[1]):
        return False
    return all(map(_fits_label, *pairs))


def _split_port(address: str) -> tuple[str, str]:
    name, _, port = address.partition(":")
    return name, port


def _fits_label(pattern: str, label: str) -> bool:
    words = map(re.escape, pattern.split("*"))
    return re.fullmatch("[a-z0-9-]*".join(words), label, re.ASCII) is not None


def _login(entry: Mapping[str, object], host: str, path: Path) -> DockerLogin | None:
    # As docker does: beside it, `auth` holds a user name with an empty password.
    if isinstance(refresh := entry.get("identitytoken"), str) and refresh:
        return DockerLogin(Credential(IDENTITY_TOKEN, Secret(refresh)))
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


def _broken(path: Path, reason: str) -> ConfigError:
    return ConfigError(
        f"{path}: {reason}",
        code="docker_config",
        hint="repair it, or run `docker login` again",
    )
