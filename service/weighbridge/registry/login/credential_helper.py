"""Asks a program of docker's for a login: `docker-credential-NAME get`.

The protocol is docker/docker-credential-helpers: the server's address on stdin, and on
stdout `{"ServerURL", "Username", "Secret"}`, or a message where it ends with an error.
The program is the user's own, but what it prints is read like a stranger's, and it
gets neither our environment nor much of our time.
"""

import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Final

from msgspec import Struct

from weighbridge.domain.limits import KIB
from weighbridge.domain.text.masking import mask
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.secret import Secret
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import WeighbridgeError

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
