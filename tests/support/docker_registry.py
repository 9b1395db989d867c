"""The real registry of Debian's `docker-registry`, on a free loopback port."""

import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import httpx
import pytest
import yaml

from support.certificates import Authority
from support.serving import free_address

_READY_S = 60.0
_PROGRAM = "docker-registry"


@dataclass(frozen=True, slots=True)
class DockerRegistry:
    """A running registry; everything it stores is in `folder`.

    pid:       of its process, for the signals of whoever started it
    authority: who signed its certificate; None: it speaks plain http
    prefix:    the path below which /v2/ is, such as `/team`
    """

    port: int
    folder: Path
    pid: int = 0
    authority: Authority | None = None
    prefix: str = ""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http{'s' if self.authority else ''}://{self.address}{self.prefix}"

    @property
    def verify(self) -> ssl.SSLContext | bool:
        """What a client of httpx is told of its certificate."""
        if self.authority is None:
            return True
        return ssl.create_default_context(cafile=self.authority.ca_file)

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return (self.folder / "log").read_text(errors="replace")


@contextmanager
def docker_registry(
    folder: Path,
    *,
    auth: Mapping[str, object] | None = None,
    port: int | None = None,
    settings: Mapping[str, object] | None = None,
    authority: Authority | None = None,
    prefix: str = "",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[DockerRegistry]:
    """A registry that runs until the block ends.

    folder:   an empty one, or that of a registry that ended: its content is served
    auth:     the `auth` section of its configuration, see `htpasswd`
    settings: further top-level sections
    authority: signs its certificate, for localhost and 127.0.0.1
    prefix:   the path below which /v2/ is
    environment: further variables of its process

    Skips the test where the program is not installed; fails there in CI.
    """
    program = _find_program()
    folder.mkdir(parents=True, exist_ok=True)
    registry = DockerRegistry(
        port or _free_port(), folder, authority=authority, prefix=prefix
    )
    config = folder / "config.yml"
    config.write_text(yaml.safe_dump(_config(registry, auth, settings or {})))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [program, "serve", str(config)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
        )
    try:
        _wait_until_ready(registry, process)
        yield replace(registry, pid=process.pid)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def htpasswd(folder: Path, username: str, password: str) -> dict[str, object]:
    """An `auth` section that wants this user by HTTP Basic."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["htpasswd", "-niBC4", username],
        input=password,
        capture_output=True,
        text=True,
        check=True,
    )
    path = folder / "htpasswd"
    path.write_text(done.stdout)
    return {"htpasswd": {"realm": "test", "path": str(path)}}


def _find_program() -> str:
    program = shutil.which(_PROGRAM)
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(f"{_PROGRAM} is not installed")
        pytest.skip(f"{_PROGRAM} is not installed")
    return program


def _free_port() -> int:
    return int(free_address().rpartition(":")[2])


def _config(
    registry: DockerRegistry,
    auth: Mapping[str, object] | None,
    settings: Mapping[str, object],
) -> dict[str, object]:
    http: dict[str, object] = {"addr": registry.address, "secret": "for tests only"}
    if registry.prefix:
        http["prefix"] = f"{registry.prefix}/"
    if registry.authority is not None:
        pem = str(registry.authority.server_file("localhost", "127.0.0.1"))
        http["tls"] = {"certificate": pem, "key": pem}
    config: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(registry.folder / "data")},
            "delete": {"enabled": True},
        },
        "http": http,
    }
    if auth is not None:
        config["auth"] = dict(auth)
    return config | dict(settings)


def _wait_until_ready(
    registry: DockerRegistry, process: "subprocess.Popen[bytes]"
) -> None:
    ends_at = time.monotonic() + _READY_S
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            answer = httpx.get(
                f"{registry.url}/v2/", trust_env=False, verify=registry.verify
            )
        except httpx.TransportError:
            time.sleep(0.02)
            continue
        if answer.status_code in (200, 401):
            return
    pytest.fail(f"{_PROGRAM} did not start:\n{registry.log}")
