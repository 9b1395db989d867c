"""What `weighbridge token` does with the configured database."""

import os
import pwd
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from weighbridge.bootstrap.databases import ready_database
from weighbridge.config import Settings
from weighbridge.domain.access.roles import (
    SECRET_BYTES,
    AccessToken,
    checked_name,
    checked_role,
    digest_of,
    new_secret,
)
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.secret import Secret
from weighbridge.errors import UsageError
from weighbridge.store.access.audit_log import Act, note_act
from weighbridge.store.access.tokens import (
    NewToken,
    add_token,
    all_tokens,
    find_tokens,
    revoke_token,
)


class Created(Struct, frozen=True):
    """A new token, and its text: nobody can read it again."""

    token: AccessToken
    secret: Secret


def create_token(
    settings: Settings, role: str, *, name: str | None, expires_s: int | None
) -> Created:
    """Make a token; an absent SQLite file is made too.

    Raises UsageError(invalid_role, invalid_token_name, token_exists, invalid_duration).
    """
    role = checked_role(role)
    name = None if name is None else checked_name(name)
    secret = new_secret(role, secrets.token_bytes(SECRET_BYTES))
    now = _now()
    if expires_s is not None and expires_s < 1:
        raise UsageError(
            "a token that expires at once is of no use",
            code="invalid_duration",
            hint="--expires 90d",
        )
    expires_at = None if expires_s is None else now + timedelta(seconds=expires_s)
    new = NewToken(name, role, digest_of(secret.reveal()), expires_at)
    with ready_database(settings) as database, database.write() as connection:
        token = add_token(connection, new, now)
        if token is None:
            raise _exists(name or role)
        until = f" until {expires_at:%Y-%m-%d}" if expires_at else ""
        detail = f"{role}{until}"
        note_act(
            connection, Act(now, system_user(), "token.create", token.name, detail)
        )
    return Created(token, secret)


def list_tokens(settings: Settings) -> Sequence[AccessToken]:
    """All that were ever made. Raises StoreError(no_database)."""
    with (
        ready_database(settings, must_exist=True) as database,
        database.read() as connection,
    ):
        return all_tokens(connection)


def revoke(settings: Settings, name_or_id: str) -> tuple[AccessToken, bool]:
    """The token of this name or id, and whether it was not revoked before.

    Raises UsageError(unknown_token), StoreError(no_database).
    """
    now = _now()
    with (
        ready_database(settings, must_exist=True) as database,
        database.write() as connection,
    ):
        found = find_tokens(connection, name_or_id)
        if not found:
            raise _unknown(name_or_id, all_tokens(connection))
        # Of several with one name all but the last were revoked before.
        token = found[-1]
        done = revoke_token(connection, token.id, now)
        if done:
            note_act(connection, Act(now, system_user(), "token.revoke", token.name))
    return token, done


def _exists(name: str) -> UsageError:
    return UsageError(
        f"there is a token called {name!r}",
        code="token_exists",
        hint="another --name; both are valid then, until the old one is revoked",
    )


def _unknown(name: str, known: Sequence[AccessToken]) -> UsageError:
    names = [token.name for token in known if token.revoked_at is None]
    return UsageError(
        f"no token is called {printable(name, 70)!r}",
        code="unknown_token",
        hint=f"there are  {', '.join(names) or 'none'}",
    )


def _now() -> datetime:
    return datetime.now(UTC)


def system_user() -> str:
    """The user of the system who asked; environment variables may say anything."""
    number = os.geteuid()
    try:
        return f"cli:{pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"cli:{number}"
