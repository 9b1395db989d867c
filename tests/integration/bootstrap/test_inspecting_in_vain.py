"""What a person is told where a registry does not let its image be weighed."""

import asyncio
import base64
import json
from pathlib import Path

import pytest

from support.recording_server import RecordingServer, recording_server
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.one_image.weigh_image import inspect
from weighbridge.config import RegistrySettings, Settings, load_settings
from weighbridge.errors import WeighbridgeError


async def refused(
    server: RecordingServer,
    text: str,
    docker_config: Path | None = None,
    *registries: RegistrySettings,
) -> WeighbridgeError:
    """The error of `inspect` where the registry answers 401 to everything."""
    path, _, tag = text.partition("/")[2].partition(":")
    server.routes[f"/v2/{path}/manifests/{tag}"] = (
        401,
        {"WWW-Authenticate": 'Basic realm="r"'},
    )
    settings = load_settings(None, {"HOME": "/nowhere"}, KINDS)
    settings = settings.model_copy(update={"registries": registries})
    with pytest.raises(WeighbridgeError) as raised:
        await asyncio.to_thread(_inspect, settings, text, docker_config)
    return raised.value


def _inspect(settings: Settings, text: str, docker_config: Path | None) -> None:
    inspect(
        settings,
        text,
        platform=None,
        all_platforms=False,
        docker_config=docker_config,
    )


async def test_a_credential_store_that_says_nothing_is_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"credsStore": "desktop"}))

    async with recording_server() as server:
        host = f"127.0.0.1:{server.port}"
        error = await refused(server, f"{host}/app:1", config)

    assert error.code == "unauthorized"
    assert error.hint == (
        f"note   the docker login for {host} could not be had: "
        "docker-credential-desktop is not in PATH"
    )


async def test_a_credential_helper_signs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    helper = tmp_path / "docker-credential-ours"
    helper.write_text(
        "#!/bin/sh\nread server\n"
        'echo "{\\"Username\\": \\"ada\\", \\"Secret\\": \\"of $server\\"}"\n'
    )
    helper.chmod(0o700)
    config = tmp_path / "config.json"

    async with recording_server() as server:
        host = f"127.0.0.1:{server.port}"
        config.write_text(json.dumps({"credHelpers": {host: "ours"}}))
        await refused(server, f"{host}/app:1", config)

    expected = base64.b64encode(f"ada:of {host}".encode()).decode()
    assert {seen.fields.get("authorization") for seen in server.seen} >= {
        f"Basic {expected}"
    }


async def test_an_address_that_is_configured_is_asked_with_its_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("s3cret")

    async with recording_server() as server:
        near = RegistrySettings.model_validate(
            {
                "name": "near",
                "url": f"http://127.0.0.1:{server.port}",
                "auth": {"username": "ada", "password_file": tmp_path / "secret"},
            }
        )
        error = await refused(server, f"127.0.0.1:{server.port}/app:1", None, near)

    expected = base64.b64encode(b"ada:s3cret").decode()
    assert error.code == "unauthorized"
    assert {seen.fields.get("authorization") for seen in server.seen} >= {
        f"Basic {expected}"
    }
