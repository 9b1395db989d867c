"""Tokens for tests: made in the database as the command does it."""

from datetime import datetime, timedelta

from weighbridge.domain.access.roles import AccessToken, digest_of, new_secret
from weighbridge.store.access import NewToken, add_token, revoke_token
from weighbridge.store.session import Database


def a_token(
    database: Database,
    role: str,
    now: datetime,
    *,
    expires_in: timedelta | None = None,
    is_revoked: bool = False,
    teams: frozenset[str] | None = None,
) -> str:
    """The text of a new token; it is different for each role, and the same each time
    for one."""
    return a_kept_token(
        database,
        role,
        now,
        expires_in=expires_in,
        is_revoked=is_revoked,
        teams=teams,
    )[0]


def a_kept_token(
    database: Database,
    role: str,
    now: datetime,
    *,
    expires_in: timedelta | None = None,
    is_revoked: bool = False,
    teams: frozenset[str] | None = None,
) -> tuple[str, AccessToken]:
    """The same with what is kept of it."""
    state = (
        f"{role} {expires_in} {is_revoked} {None if teams is None else sorted(teams)}"
    )
    text = new_secret(role, digest_of(state)).reveal()
    expires_at = None if expires_in is None else now + expires_in
    with database.write() as connection:
        new = NewToken(None, role, digest_of(text), expires_at, teams)
        token = add_token(connection, new, now)
        assert token is not None
        if is_revoked:
            assert revoke_token(connection, token.id, now)
    return text, token


def bearer(text: str) -> dict[str, str]:
    """The header that shows it."""
    return {"authorization": f"Bearer {text}"}
