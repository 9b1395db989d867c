"""Who asks a registry, and what is said of that."""

import base64
import json
from pathlib import Path

import pytest

from weighbridge.bootstrap.registries.logins import TargetLogin, find_login
from weighbridge.bootstrap.registries.targets import Target
from weighbridge.config import RegistrySettings
from weighbridge.config.registries.registry_settings import AuthSettings
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import ConfigError, WeighbridgeError

URL = "http://127.0.0.1:5000"
LOGIN = {"auth": base64.b64encode(b"ann:c4nary").decode()}


def login_of(auth: AuthSettings | None) -> TargetLogin:
    settings = RegistrySettings(name="near", url=URL, auth=auth)
    return find_login(Target("near", URL, settings), None)


def docker_config(folder: Path, *hosts: str) -> AuthSettings:
    path = folder / "config.json"
    path.write_text(json.dumps({"auths": dict.fromkeys(hosts, LOGIN)}))
    return AuthSettings(docker_config=path)


def test_it_is_said_who_asks_and_by_which_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("c4nary")
    of_docker = docker_config(tmp_path, "127.0.0.1:5000")

    ways = [
        login_of(auth).way
        for auth in (
            None,
            AuthSettings(username="ann", password=Secret("c4nary")),
            AuthSettings(username="ann", password_file=secret),
            AuthSettings(token_file=secret),
            of_docker,
        )
    ]

    assert ways == [
        "no credential",
        "user 'ann', from the configuration",
        f"user 'ann', from {secret}",
        f"the configured token, from {secret}",
        f"user 'ann', from {tmp_path / 'config.json'}",
    ]


def test_a_file_without_a_login_for_the_registry_is_an_error(tmp_path: Path) -> None:
    auth = docker_config(tmp_path, "other.example")

    with pytest.raises(ConfigError) as none:
        login_of(auth)

    assert none.value.code == "docker_config"
    assert "has no login for 127.0.0.1:5000" in none.value.message
    assert "docker login 127.0.0.1:5000" in (none.value.hint or "")


async def test_a_token_in_a_file_is_shown_as_it_is_and_read_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "token"
    path.write_text("c4nary-1\n")
    login = login_of(AuthSettings(token_file=path))
    assert login.source is not None
    first = await login.source.credential(None)
    assert first is not None

    path.write_text("c4nary-2\n")
    second = await login.source.credential(first.authorization())

    assert first.authorization().reveal() == "Bearer c4nary-1"
    assert second is not None
    assert second.authorization().reveal() == "Bearer c4nary-2"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "secret_file"),
        ("a\nb", "secret_file"),
        ("a b", "invalid_credential"),
    ],
)
def test_a_file_that_holds_no_token_is_an_error_and_asks_nobody(
    tmp_path: Path, content: str, code: str
) -> None:
    path = tmp_path / "token"
    path.write_text("good when it was configured")
    auth = AuthSettings(token_file=path)
    path.write_text(content)

    with pytest.raises(WeighbridgeError) as none:
        login_of(auth)

    assert none.value.code == code


def test_a_file_that_is_gone_is_an_error_and_asks_nobody(tmp_path: Path) -> None:
    auth = docker_config(tmp_path, "127.0.0.1:5000")
    (tmp_path / "config.json").unlink()

    with pytest.raises(ConfigError) as gone:
        login_of(auth)

    assert gone.value.code == "docker_config"


def test_a_helper_that_gives_no_login_is_an_error_and_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credsStore": "not-installed"}))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigError) as none:
        login_of(AuthSettings(docker_config=path))

    assert none.value.code == "docker_config"
    assert "docker-credential-not-installed is not in PATH" in none.value.message
