"""What `weighbridge token` does with the configured database, and prints."""

import os
import pwd
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from weighbridge.bootstrap.databases import read_database, ready_database
from weighbridge.config import Settings
from weighbridge.domain.access.roles import (
    SECRET_BYTES,
    AccessToken,
    checked_name,
    checked_role,
    digest_of,
    new_secret,
)
from weighbridge.domain.size.weighing import rfc3339
from weighbridge.domain.text.printable import Secret, printable
from weighbridge.errors import UsageError
from weighbridge.presentation.forms.csv_json_markdown import json_text
from weighbridge.presentation.forms.phrases import minute
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.report_rows import row_of
from weighbridge.store.access import (
    Act,
    NewToken,
    add_token,
    all_tokens,
    find_tokens,
    note_act,
    revoke_token,
)


def create_token(
    settings: Settings, role: str, *, name: str | None, expires_s: int | None
) -> tuple[AccessToken, Secret]:
    """Make a token, with its text, which nobody can read again; an absent SQLite file
    is made too.

    Raises UsageError(invalid_role, invalid_token_name, token_exists, invalid_duration).
    """
    role = checked_role(role)
    name = None if name is None else checked_name(name)
    secret = new_secret(role, secrets.token_bytes(SECRET_BYTES))
    now = datetime.now(UTC)
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
    return token, secret


def listed(settings: Settings, output: Output, screen: Screen) -> str:
    """A row for each that was ever made; never what it was made of. Raises
    StoreError(no_database)."""
    now = datetime.now(UTC)
    with read_database(settings) as connection:
        tokens = all_tokens(connection)
    return _table(now).printed(tokens, output, screen)


def revoked(settings: Settings, name_or_id: str) -> str:
    """What was ended: the token of this name or id.

    Raises UsageError(unknown_token), StoreError(no_database).
    """
    now = datetime.now(UTC)
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
    words = "revoked" if done else "was revoked before"
    return f"{words}: {token.name} ({token.role})"


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


def system_user() -> str:
    """The user of the system who asked; environment variables may say anything."""
    number = os.geteuid()
    try:
        return f"cli:{pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"cli:{number}"


_KEYS: Final = (
    "id",
    "name",
    "role",
    "state",
    "created_at",
    "last_used_at",
    "expires_at",
    "revoked_at",
)


def about(token: AccessToken) -> str:
    """What was made, without its text."""
    until = f"{minute(token.expires_at)} UTC" if token.expires_at else "it is revoked"
    return (
        f"token {token.name} with the role {token.role}, valid until {until}; "
        "it is not shown again"
    )


def created(token: AccessToken, secret: Secret, output: Output) -> str:
    """The text of the token; for people nothing else, so that it can be piped."""
    if output == "table":
        return secret.reveal()
    row = {"token": secret.reveal(), **_row(token, token.created_at)}
    if output == "json":
        return json_text(row)
    table: Table[Mapping[str, object]] = Table(
        keys=tuple(row), as_object=dict, has_keys_in_markdown=True
    )
    return table.printed([row], output, Screen())


def _table(now: datetime) -> Table[AccessToken]:
    return Table(
        columns=(
            Column("id", lambda token: str(token.id), rank=None),
            Column("name", lambda token: token.name, "name"),
            Column("role", lambda token: token.role, rank=5),
            Column("state", lambda token: token.state(now), rank=6),
            _moment("created", lambda token: token.created_at, 1),
            _moment("last used", lambda token: token.last_used_at, 3),
            _moment("expires", lambda token: token.expires_at, 4),
            _moment("revoked", lambda token: token.revoked_at, 2),
        ),
        keys=_KEYS,
        as_object=partial(_row, now=now),
        has_keys_in_markdown=True,
        empty="there is no token yet: weighbridge token create --role read",
    )


def _moment(
    title: str, moment: Callable[[AccessToken], datetime | None], rank: int
) -> Column[AccessToken]:
    return Column(title, lambda token: rfc3339(moment(token)) or "never", rank=rank)


def _row(token: AccessToken, now: datetime) -> Mapping[str, object]:
    return row_of(_KEYS, token, state=token.state(now))
