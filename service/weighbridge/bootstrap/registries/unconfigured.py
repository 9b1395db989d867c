"""How a registry is reached that is not configured: by an address alone."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from weighbridge.domain.text.secret import Secret
from weighbridge.errors import UsageError
from weighbridge.registry.login.credentials import Credential
from weighbridge.registry.login.docker_config import DockerLogin

_HOW: Final = "--password-stdin, --password-file FILE, or `docker login`"


class AddressAccess(Struct, frozen=True):
    """What a person says beside an address.

    plain_http: None: loopback speaks http, all others https
    ca_file:    authorities that its certificate may be from; None: the system's
    user:       who asks; None: whoever `docker login` has left there
    password:   None: the one that `docker login` has left for this user
    """

    plain_http: bool | None = None
    ca_file: str | None = None
    user: str | None = None
    password: Secret | None = None

    @property
    def is_of_an_address(self) -> bool:
        """Whether it says what a configured registry has keys for."""
        return self.ca_file is not None or self.user is not None


PLAIN: Final = AddressAccess()
"""Nothing was said."""


def login_of(
    access: AddressAccess, host: str, docker: Callable[[], DockerLogin]
) -> DockerLogin:
    """Who asks this host, where nothing is configured.

    docker: what `docker login` has left for it, asked only where it matters
    Raises UsageError(no_password) for a user whose password nobody gave.
    """
    if access.user is not None and access.password is not None:
        return DockerLogin(Credential(access.user, access.password))
    login = docker()
    return login if access.user is None else _checked(login, access.user, host)


def _checked(docker: DockerLogin, user: str, host: str) -> DockerLogin:
    """The login of this user, and of nobody else."""
    found = docker.credential
    if found is not None and found.password and found.username == user:
        return docker
    why = f"`docker login` has left none for {host}"
    if docker.warning is not None:
        why = docker.warning.message
    elif found is not None and found.username:
        why = f"`docker login` has left the one of {found.username!r} for {host}"
    raise UsageError(
        f"there is no password for the user {user!r}: {why}",
        code="no_password",
        hint=f"give it by {_HOW}",
    )
