"""Access keys of AWS: one that is configured, or what this machine has: environment,
profile, a service account (IRSA), Pod Identity, an instance's role; and a role that is
assumed with either. All but the first is botocore's work, an extra."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from msgspec import Struct

from weighbridge.domain.text.masking import mask
from weighbridge.domain.text.printable import Secret, printable
from weighbridge.errors import AuthError
from weighbridge.registry.login.credentials import Credential

PIP_LINE: Final = "python -m pip install 'weighbridge[aws]'"
_PATIENCE: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "read_timeout": 10,
    "retries": {"total_max_attempts": 3},
}
"""Of botocore where it asks for a role: its own would hold up a crawl for minutes."""
_SESSION_NAME: Final = "weighbridge"
_SHOWN_CHARACTERS: Final = 256


class AccessKey(Struct, frozen=True):
    """What requests are signed with.

    session_token: of a key that was given for a time; None: it has none
    """

    key_id: str
    secret: Secret
    session_token: Secret | None = None


class KeySource(Protocol):
    """Where the access key comes from."""

    def __str__(self) -> str:
        """Who this is, for messages."""

    async def current(self) -> AccessKey:
        """The one that is good now. Raises AuthError (auth_error, missing_extra)."""

    async def renew(self) -> bool:
        """What was current was refused: whether another one may be had."""


class ConfiguredKey:
    """The one that the configuration has."""

    def __init__(self, credential: Credential) -> None:
        secret = credential.password or Secret("")
        self.key = AccessKey(credential.username, secret)

    def __str__(self) -> str:
        return f"the access key {self.key.key_id}"

    async def current(self) -> AccessKey:
        return self.key

    async def renew(self) -> bool:
        return False


class ChainKeys:
    """Keys that botocore finds, and renews before they end.

    It asks for them by itself: files, environment, and servers of AWS for a role, a
    service account or an instance. The registry it never asks.

    role_arn: a role that is assumed, None for none
    base:     the key with which it is assumed, None for what this machine has
    """

    def __init__(
        self, region: str, role_arn: str | None = None, base: AccessKey | None = None
    ) -> None:
        self._region = region
        self._role_arn = role_arn
        self._base = base
        self._lock = threading.Lock()
        # Any: botocore has no types.
        self._credentials: Any = None

    def __str__(self) -> str:
        return self._role_arn or "the AWS credentials of this machine"

    async def current(self) -> AccessKey:
        # In a thread: it may read files and ask servers.
        return await asyncio.to_thread(self._current)

    async def renew(self) -> bool:
        with self._lock:
            self._credentials = None
        return True

    def _current(self) -> AccessKey:
        with self._lock:
            return self._translated(self._read)

    def _read(self) -> AccessKey:
        if self._credentials is None:
            self._credentials = self._open()
        found = self._credentials.get_frozen_credentials()
        token = Secret(found.token) if found.token else None
        return AccessKey(found.access_key, Secret(found.secret_key), token)

    def _open(self) -> Any:
        from botocore.config import Config
        from botocore.credentials import (
            AssumeRoleCredentialFetcher,
            Credentials,
            DeferredRefreshableCredentials,
        )
        from botocore.session import get_session

        session = get_session()
        session.set_default_client_config(Config(**_PATIENCE))
        base = self._base
        if base is None:
            credentials = session.get_credentials()
        else:
            credentials = Credentials(base.key_id, base.secret.reveal())
        if credentials is None:
            raise AuthError(
                "no AWS credentials were found on this machine",
                hint="give an access key in `auth`, or set AWS_PROFILE, an environment"
                " or a role as for the `aws` command",
            )
        if self._role_arn is None:
            return credentials
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(session.create_client, region_name=self._region),
            source_credentials=credentials,
            role_arn=self._role_arn,
            extra_args={"RoleSessionName": _SESSION_NAME},
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    def _translated(self, read: Callable[[], AccessKey]) -> AccessKey:
        """What botocore raises, as ours."""
        try:
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError as exc:
            raise AuthError(
                "the credentials of this machine, and roles, need botocore, which is"
                " not installed",
                code="missing_extra",
                hint=f"{PIP_LINE}, or give an access key in `auth`",
            ) from exc
        try:
            return read()
        except (BotoCoreError, ClientError) as exc:
            words = printable(mask(" ".join(str(exc).split())), _SHOWN_CHARACTERS)
            raise AuthError(
                f"no AWS credentials could be had for {self}: {words}",
                hint="the `aws sts get-caller-identity` command on this machine shows"
                " whether it has any",
            ) from exc


def keys_of(
    credential: Credential | None, role_arn: str | None, region: str
) -> KeySource:
    """credential: an access key with its secret, None for what this machine has."""
    configured = None if credential is None else ConfiguredKey(credential)
    if configured is not None and role_arn is None:
        return configured
    base = None if configured is None else configured.key
    return ChainKeys(region, role_arn, base)
