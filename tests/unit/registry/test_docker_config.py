"""What `docker login` wrote, and what of it can be used."""

import base64
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighbridge.domain.text.printable import Secret
from weighbridge.errors import ConfigError, UsageError, WeighbridgeError
from weighbridge.registry.kinds.dockerhub.hub_kind import DOCKERHUB
from weighbridge.registry.login.credentials import Credential
from weighbridge.registry.login.docker_config import (
    DockerLogin,
    HelperError,
    Login,
    docker_config_credential,
    docker_config_path,
)

HOST = "registry.example:5000"


def written(folder: Path, config: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


def auth(pair: str) -> dict[str, str]:
    return {"auth": base64.b64encode(pair.encode()).decode()}


def user_and_password(login: DockerLogin) -> tuple[str, str]:
    credential = login.credential
    assert credential is not None
    assert credential.password is not None
    return credential.username, credential.password.reveal()


@pytest.mark.parametrize(
    "key",
    [HOST, f"https://{HOST}", f"http://{HOST}/v2/", f"{HOST}/team", HOST.upper()],
)
def test_a_login_is_found_under_every_form_of_its_key(key: str, tmp_path: Path) -> None:
    path = written(tmp_path, {"auths": {key: auth("ann:pass:word")}})

    login = docker_config_credential(HOST, path)

    assert user_and_password(login) == ("ann", "pass:word")


@pytest.mark.parametrize("host", ["docker.io", "registry-1.docker.io"])
def test_docker_hub_is_found_under_its_old_key(host: str, tmp_path: Path) -> None:
    path = written(tmp_path, {"auths": {"https://index.docker.io/v1/": auth("a:b")}})

    login = docker_config_credential(host, path, names=DOCKERHUB.login_names)

    assert user_and_password(login) == ("a", "b")


def test_a_login_may_be_written_in_clear(tmp_path: Path) -> None:
    entry = {"username": "ann", "password": "secret"}
    path = written(tmp_path, {"auths": {HOST: entry}})

    login = docker_config_credential(HOST, path)

    assert user_and_password(login) == ("ann", "secret")


def test_the_host_alone_goes_before_one_with_a_path(tmp_path: Path) -> None:
    auths = {f"{HOST}/team": auth("team:1"), HOST: auth("all:2")}
    path = written(tmp_path, {"auths": auths})

    assert user_and_password(docker_config_credential(HOST, path)) == ("all", "2")


@pytest.mark.parametrize(
    "other", ["registry.example", "registry.example:5001", "example:5000", "docker.io"]
)
def test_a_login_is_not_lent_to_another_host(other: str, tmp_path: Path) -> None:
    path = written(tmp_path, {"auths": {HOST: auth("ann:secret")}})

    login = docker_config_credential(other, path, names=DOCKERHUB.login_names)

    assert login == DockerLogin()


@pytest.mark.parametrize(
    ("key", "host", "is_meant"),
    [
        ("*.example", "registry.example", True),
        ("reg*.example", "registry.example", True),
        ("https://*.example/v1/", "registry.example", True),
        ("*.example:5000", HOST, True),
        ("*.*", "registry.example", True),
        ("*.example", HOST, False),
        ("*.example", "a.registry.example", False),
        ("*", "registry.example", False),
        ("*.example", "example", False),
        ("registry.example:*", HOST, False),
        ("*.example", "registry.example.evil", False),
    ],
)
def test_a_key_of_several_hosts_means_those_that_kubernetes_says(
    key: str, host: str, *, is_meant: bool, tmp_path: Path
) -> None:
    path = written(tmp_path, {"auths": {key: auth("ann:secret")}})

    assert (docker_config_credential(host, path) != DockerLogin()) is is_meant


def test_the_key_that_says_most_of_the_host_goes_first(tmp_path: Path) -> None:
    auths = {"*.example:5000": auth("c:3"), "reg*.example:5000": auth("b:2")}
    several = written(tmp_path, {"auths": auths})
    assert user_and_password(docker_config_credential(HOST, several)) == ("b", "2")

    exact = written(tmp_path, {"auths": auths | {HOST: auth("a:1")}})
    assert user_and_password(docker_config_credential(HOST, exact)) == ("a", "1")


@given(key=st.text("a*.:/-%[", max_size=12), host=st.text("a.:-", max_size=12))
def test_any_key_gives_a_login_or_none(key: str, host: str) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), {"auths": {key: auth("ann:secret")}})

        login = docker_config_credential(host, path)

    assert login == DockerLogin() or user_and_password(login) == ("ann", "secret")


def test_a_file_that_somebody_named_has_to_be_there(tmp_path: Path) -> None:
    absent = tmp_path / "config.json"

    assert docker_config_credential(HOST, absent) == DockerLogin()
    with pytest.raises(ConfigError, match="No such file") as missing:
        docker_config_credential(HOST, absent, must_exist=True)

    assert missing.value.code == "docker_config"


class Helpers:
    """Stands for the programs: knows logins by helper and server."""

    def __init__(self, logins: dict[tuple[str, str], Login]) -> None:
        self.logins = logins
        self.asked: list[tuple[str, str]] = []

    def __call__(self, name: str, server: str) -> Login | None:
        self.asked.append((name, server))
        return self.logins.get((name, server))


def broken(name: str, server: str) -> Login | None:
    raise HelperError(f"docker-credential-{name} is not in PATH")


def test_an_identity_token_signs_in_as_a_refresh_token(tmp_path: Path) -> None:
    entry = {"identitytoken": "refresh", "auth": auth("a:")["auth"]}
    ask = Helpers({("desktop", HOST): Login("<token>", Secret("refresh"))})
    configs = [{"auths": {HOST: entry}}, {"credsStore": "desktop"}]

    for config in configs:
        login = docker_config_credential(HOST, written(tmp_path, config), ask)

        assert login.warning is None
        assert login.credential is not None
        assert login.credential.refresh_token is not None
        assert login.credential.refresh_token.reveal() == "refresh"
        assert "refresh'" not in repr(login)


@pytest.mark.parametrize("token", ["", None, 7, ["x"], {"a": "b"}])
def test_what_is_no_identity_token_leaves_the_password(
    tmp_path: Path, token: object
) -> None:
    entry = {"identitytoken": token, **auth("a:b")}

    login = docker_config_credential(HOST, written(tmp_path, {"auths": {HOST: entry}}))

    assert login.credential == Credential("a", Secret("b"))


@pytest.mark.parametrize(
    ("config", "helper"),
    [
        ({"credHelpers": {HOST: "ecr-login"}, "auths": {HOST: {}}}, "ecr-login"),
        ({"credHelpers": {f"https://{HOST}": "ecr-login"}}, "ecr-login"),
        ({"credHelpers": {HOST: "pass"}, "credsStore": "desktop"}, "pass"),
        ({"credHelpers": {HOST: "pass"}, "auths": {HOST: auth("a:b")}}, "pass"),
        (
            {"credHelpers": {"other.example": "pass"}, "credsStore": "desktop"},
            "desktop",
        ),
        ({"credsStore": "desktop", "auths": {HOST: {}}}, "desktop"),
    ],
)
def test_the_helper_of_a_host_is_asked_and_else_the_store(
    config: object, helper: str, tmp_path: Path
) -> None:
    ask = Helpers({(helper, HOST): Login("ann", Secret("pass:word"))})

    login = docker_config_credential(HOST, written(tmp_path, config), ask)

    assert user_and_password(login) == ("ann", "pass:word")
    assert ask.asked == [(helper, HOST)]


def test_a_helper_knows_docker_hub_by_its_old_address(tmp_path: Path) -> None:
    server = "https://index.docker.io/v1/"
    ask = Helpers({("desktop", server): Login("ann", Secret("x"))})
    path = written(tmp_path, {"credsStore": "desktop"})

    login = docker_config_credential(
        "registry-1.docker.io", path, ask, DOCKERHUB.login_names
    )

    assert user_and_password(login) == ("ann", "x")


def test_a_login_that_is_written_down_costs_no_helper(tmp_path: Path) -> None:
    ask = Helpers({})
    config = {"credsStore": "desktop", "auths": {HOST: auth("ann:secret")}}

    login = docker_config_credential(HOST, written(tmp_path, config), ask)

    assert user_and_password(login) == ("ann", "secret")
    assert ask.asked == []


def test_a_helper_that_knows_nothing_is_no_fault(tmp_path: Path) -> None:
    path = written(tmp_path, {"credsStore": "desktop"})

    assert docker_config_credential(HOST, path, Helpers({})) == DockerLogin()


def test_why_a_helper_says_nothing_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, {"credsStore": "desktop"})

    login = docker_config_credential(HOST, path, broken)

    assert login.credential is None
    assert login.warning is not None
    assert login.warning.code == "credential_helper_failed"
    assert HOST in login.warning.message
    assert "docker-credential-desktop is not in PATH" in login.warning.message


@pytest.mark.parametrize("config", [{}, {"auths": {}}, {"auths": None}, {"auths": []}])
def test_a_file_without_logins_is_fine(config: object, tmp_path: Path) -> None:
    assert docker_config_credential(HOST, written(tmp_path, config)) == DockerLogin()


def test_an_absent_file_is_fine(tmp_path: Path) -> None:
    assert docker_config_credential(HOST, tmp_path / "none.json") == DockerLogin()
    assert docker_config_credential(HOST) == DockerLogin()


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"\xff",
        b" " * (1024 * 1024 + 1),
        b'{"auths": {"%s": {"auth": "canary!"}}}' % HOST.encode(),
        b'{"auths": {"%s": {"auth": "Y2FuYXJ5"}}}' % HOST.encode(),
    ],
)
def test_a_broken_file_is_named_and_not_quoted(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as refused:
        docker_config_credential(HOST, path)

    assert refused.value.code == "docker_config"
    assert str(path) in refused.value.message
    assert "canary" not in refused.value.message
    assert refused.value.__cause__ is None


def test_a_user_name_with_a_control_character_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"auths": {HOST: auth("a\r\nX-Evil\x00:b")}})

    with pytest.raises(UsageError) as refused:
        docker_config_credential(HOST, path)

    assert refused.value.code == "invalid_credential"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_file_gives_a_login_or_our_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)

    try:
        login = docker_config_credential(HOST, path)
    except WeighbridgeError:
        return

    assert isinstance(login, DockerLogin)


def test_the_environment_may_name_another_folder() -> None:
    home = Path("/home/ann")

    assert docker_config_path({}, home) == home / ".docker" / "config.json"
    assert docker_config_path({"DOCKER_CONFIG": "/x"}, home) == Path("/x/config.json")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param([HOST, f"{HOST}/a", f"{HOST}/b"], f"{HOST}/a", id="its own first"),
        pytest.param([f"https://{HOST}/a/v2/", HOST], f"https://{HOST}/a/v2/", id="v2"),
        pytest.param([f"{HOST}/b", f"https://{HOST}/v2/"], f"https://{HOST}/v2/"),
    ],
)
def test_a_registry_below_a_path_has_its_own_login_or_that_of_the_host(
    keys: list[str], expected: str, tmp_path: Path
) -> None:
    path = written(tmp_path, {"auths": {k: auth(f"u:{k}") for k in keys}})

    login = docker_config_credential(HOST, path, prefix="/a")

    assert user_and_password(login) == ("u", expected)


def test_the_login_of_another_path_is_never_shown(tmp_path: Path) -> None:
    config = {"auths": {f"{HOST}/b": auth("u:p")}, "credHelpers": {f"{HOST}/b": "x"}}

    login = docker_config_credential(HOST, written(tmp_path, config), prefix="/a")

    assert login == DockerLogin()
