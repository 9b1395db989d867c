"""Who asks a registry that is not configured."""

import pytest

from weighbridge.bootstrap.registries.targets import AddressAccess, login_of
from weighbridge.domain.image.document import Problem
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import UsageError
from weighbridge.registry.login.credentials import Credential
from weighbridge.registry.login.docker_config import DockerLogin

DOCKER = DockerLogin(Credential("ann", Secret("of docker")))


def not_asked() -> DockerLogin:
    raise AssertionError("docker's login is not needed")


def test_a_password_that_is_given_needs_no_docker() -> None:
    login = login_of(
        AddressAccess(user="bob", password=Secret("mine")), "r.example", not_asked
    )

    assert login.credential == Credential("bob", Secret("mine"))


@pytest.mark.parametrize("user", [None, "ann"])
def test_who_gives_none_is_whom_docker_login_left(user: str | None) -> None:
    assert login_of(AddressAccess(user=user), "r.example", lambda: DOCKER) == DOCKER


@pytest.mark.parametrize(
    ("docker", "why"),
    [
        (DOCKER, "the one of 'ann' for r.example"),
        (DockerLogin(), "left none for r.example"),
        (DockerLogin(warning=Problem("x", "the helper failed")), "the helper failed"),
        (DockerLogin(Credential(token=Secret("t"))), "left none for r.example"),
    ],
)
def test_a_user_without_a_password_is_an_error_that_says_where_to_put_it(
    docker: DockerLogin, why: str
) -> None:
    with pytest.raises(UsageError) as refused:
        login_of(AddressAccess(user="bob"), "r.example", lambda: docker)

    assert refused.value.code == "no_password"
    assert why in refused.value.message
    assert "--password-stdin" in refused.value.hint
