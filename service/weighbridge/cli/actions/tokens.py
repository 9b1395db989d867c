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
    checked_teams,
    digest_of,
    new_secret,
)
from weighbridge.domain.policy.policy import PolicySet
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
    Renewal,
    add_token,
    all_tokens,
    find_tokens,
    note_act,
    renew_token,
    revoke_token,
)
from weighbridge.store.session import Connection


def create_token(
    settings: Settings,
    role: str,
    *,
    name: str | None,
    expires_s: int | None,
    teams: Sequence[str] = (),
) -> tuple[AccessToken, Secret]:
    """Make a token, with its text, which nobody can read again; an absent SQLite file
    is made too.

    teams: whose repositories it shows; none: all
    Raises UsageError(invalid_role, invalid_token_name, token_exists, invalid_duration,
    invalid_team).
    """
    role = checked_role(role)
    of_teams = checked_teams(role, teams)
    name = None if name is None else checked_name(name)
    secret = new_secret(role, secrets.token_bytes(SECRET_BYTES))
    now = datetime.now(UTC)
    expires_at = _expiry(expires_s, now)
    new = NewToken(name, role, digest_of(secret.reveal()), expires_at, of_teams)
    with ready_database(settings) as database, database.write() as connection:
        token = add_token(connection, new, now)
        if token is None:
            raise _exists(name or role)
        act = Act(now, system_user(), "token.create", token.name, _detail(token))
        note_act(connection, act)
    return token, secret


def rotate_token(
    settings: Settings, name_or_id: str, *, overlap_s: int, expires_s: int | None
) -> tuple[AccessToken, Secret]:
    """Give a token a new text, and return both.

    overlap_s: so long the text before is taken too, at most until it would have expired
    expires_s: how long the new one is valid; None: as long as that was
    Raises UsageError(unknown_token, token_ended, invalid_duration),
    StoreError(no_database).
    """
    now = datetime.now(UTC)
    with (
        ready_database(settings, must_exist=True) as database,
        database.write() as connection,
    ):
        old = _found(connection, name_or_id)
        if old.state(now) != "valid":
            raise UsageError(
                f"the token {old.name} is {old.state(now)}",
                code="token_ended",
                hint=f"weighbridge token create --role {old.role}",
            )
        secret = new_secret(old.role, secrets.token_bytes(SECRET_BYTES))
        lived_s = None
        if old.expires_at is not None:
            lived = old.expires_at - (old.renewed_at or old.created_at)
            lived_s = max(round(lived.total_seconds()), 1)
        until = now + timedelta(seconds=overlap_s)
        renewed = Renewal(
            digest_of(secret.reveal()),
            _expiry(lived_s if expires_s is None else expires_s, now),
            min(until, old.expires_at or until),
        )
        token = renew_token(connection, old.id, renewed, now)
        act = Act(now, system_user(), "token.rotate", token.name, _detail(token))
        note_act(connection, act)
    return token, secret


def _expiry(expires_s: int | None, now: datetime) -> datetime | None:
    if expires_s is None:
        return None
    if expires_s < 1:
        raise UsageError(
            "a token that expires at once is of no use",
            code="invalid_duration",
            hint="--expires 90d",
        )
    return now + timedelta(seconds=expires_s)


def _detail(token: AccessToken) -> str:
    of = "" if token.teams is None else f" of {', '.join(sorted(token.teams))}"
    until = f" until {token.expires_at:%Y-%m-%d}" if token.expires_at else ""
    return f"{token.role}{of}{until}"


def warnings_of(policies: PolicySet, teams: Sequence[str]) -> list[str]:
    """What is wrong with the teams of a token, as far as policies say it."""
    named = {policy.limits.team for policy in policies.policies}
    return [
        f"no policy names the team {printable(team)}, so the token shows nothing of it"
        for team in dict.fromkeys(teams)
        if team not in named
    ]


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
        token = _found(connection, name_or_id)
        done = revoke_token(connection, token.id, now)
        if done:
            note_act(connection, Act(now, system_user(), "token.revoke", token.name))
    words = "revoked" if done else "was revoked before"
    return f"{words}: {token.name} ({token.role})"


def _found(connection: Connection, name_or_id: str) -> AccessToken:
    found = find_tokens(connection, name_or_id)
    if not found:
        raise _unknown(name_or_id, all_tokens(connection))
    # Of several with one name all but the last were revoked before.
    return found[-1]


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
    "teams",
    "state",
    "created_at",
    "last_used_at",
    "expires_at",
    "revoked_at",
    "renewed_at",
    "previous_until",
)


def about(token: AccessToken) -> str:
    """What was made, without its text."""
    until = f"{minute(token.expires_at)} UTC" if token.expires_at else "it is revoked"
    return (
        f"token {token.name} with the role {token.role}{_of_teams(token)}, valid until "
        f"{until}; it is not shown again{_beside(token)}"
    )


def _of_teams(token: AccessToken) -> str:
    if token.teams is None:
        return ""
    return f" for the repositories of {' and '.join(sorted(token.teams))}"


def _beside(token: AccessToken) -> str:
    if token.renewed_at is None or token.previous_until is None:
        return ""
    if token.previous_until <= token.renewed_at:
        return "; the one before is refused within 5 seconds"
    return f"; the one before is valid until {minute(token.previous_until)} UTC"


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
            Column("teams", _teams, rank=7),
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
    teams = None if token.teams is None else sorted(token.teams)
    return row_of(_KEYS, token, state=token.state(now), teams=teams)


def _teams(token: AccessToken) -> str:
    return "all" if token.teams is None else ", ".join(sorted(token.teams))
