"""Who may ask over HTTP, rows of `tokens`; and what admins did, when, and who it was:
rows of `audit_log`, which are added and never changed."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, insert, or_, select, update

from weighbridge.domain.access.roles import PREFIXES, AccessToken
from weighbridge.store.dialect import lock_writers_out
from weighbridge.store.models import audit_log, tokens
from weighbridge.store.session import Database


class Act(Struct, frozen=True):
    """One act of an admin.

    actor:   `cli:USER`, or the name of a token
    act:     what was done, such as `token.create`
    subject: to what, by name
    detail:  what else is worth knowing; never a secret
    """

    at: datetime
    actor: str
    act: str
    subject: str
    detail: str = ""


def note_act(connection: Connection, act: Act) -> None:
    """Keep it, in the transaction of the act itself: both happen or neither does."""
    connection.execute(
        insert(audit_log).values(
            at=act.at,
            actor=act.actor,
            act=act.act,
            subject=act.subject,
            detail=act.detail,
        )
    )


def acts(connection: Connection, since: datetime | None = None) -> list[Act]:
    """All of them, or those since a moment; the oldest first."""
    table = audit_log.c
    columns = (table.at, table.actor, table.act, table.subject, table.detail)
    statement = select(*columns).order_by(table.id)
    if since is not None:
        statement = statement.where(table.at >= since)
    return [Act(*row) for row in connection.execute(statement)]


_COLUMNS = (
    tokens.c.id,
    tokens.c.name,
    tokens.c.role,
    tokens.c.created_at,
    tokens.c.expires_at,
    tokens.c.last_used_at,
    tokens.c.revoked_at,
    tokens.c.teams,
    tokens.c.previous_until,
    tokens.c.renewed_at,
)
_TEAMS = [column.name for column in _COLUMNS].index("teams")


def _token(row: Sequence[Any]) -> AccessToken:
    values = list(row)
    text = values[_TEAMS]
    values[_TEAMS] = None if text is None else frozenset(json.loads(text))
    return AccessToken(*values)


class NewToken(Struct, frozen=True):
    """A token that is to be kept.

    name:   None for the role with a number behind it
    sha256: of its text
    teams:  whose repositories it shows, None: all
    """

    name: str | None
    role: str
    sha256: bytes
    expires_at: datetime | None
    teams: frozenset[str] | None = None


def add_token(
    connection: Connection, new: NewToken, now: datetime
) -> AccessToken | None:
    """Keep it. None where another token that is not revoked has its name."""
    # Whoever makes one at the same time would find the same name free.
    lock_writers_out(connection, tokens)
    taken = set(
        connection.execute(
            select(tokens.c.name).where(tokens.c.revoked_at.is_(None))
        ).scalars()
    )
    name = _free_name(new.role, taken) if new.name is None else new.name
    if name in taken:
        return None
    added = connection.execute(
        insert(tokens)
        .values(
            name=name,
            role=new.role,
            sha256=new.sha256,
            created_at=now,
            expires_at=new.expires_at,
            teams=None if new.teams is None else json.dumps(sorted(new.teams)),
        )
        .returning(*_COLUMNS)
    ).one()
    return _token(added)


def replace_token(
    connection: Connection, new: NewToken, now: datetime
) -> list[AccessToken]:
    """Keep it; those of its name, which are revoked now. A token that reads shows no
    more than the last one of its name did, whoever revoked that: it is of the same
    teams."""
    namesakes = find_tokens(connection, new.name or "")
    before = [each for each in namesakes if revoke_token(connection, each.id, now)]
    if namesakes and namesakes[-1].role == new.role and new.teams is None:
        new = replace(new, teams=namesakes[-1].teams)
    add_token(connection, new, now)
    return before


def _free_name(role: str, taken: set[str]) -> str:
    number = 1
    while f"{role}-{number}" in taken:
        number += 1
    return f"{role}-{number}"


def all_tokens(connection: Connection) -> list[AccessToken]:
    """All that were ever made, the oldest first."""
    rows = connection.execute(select(*_COLUMNS).order_by(tokens.c.id))
    return [_token(row) for row in rows]


def find_tokens(connection: Connection, name_or_id: str) -> list[AccessToken]:
    """The tokens of this name, or the one with this id."""
    found = all_tokens(connection)
    return [t for t in found if name_or_id in (t.name, str(t.id))]


def find_token_of(connection: Connection, sha256: bytes) -> AccessToken | None:
    """The one whose text this is the SHA-256 of, valid or not; also of the text that it
    had before it was renewed, and expires as that does."""
    is_text = tokens.c.sha256 == sha256
    row = connection.execute(
        select(is_text, *_COLUMNS)
        .where(or_(is_text, tokens.c.previous_sha256 == sha256))
        .order_by(is_text.desc(), tokens.c.id.desc())
    ).first()
    if row is None:
        return None
    is_its_text, *values = row
    token = _token(values)
    return token if is_its_text else replace(token, expires_at=token.previous_until)


class Renewal(Struct, frozen=True):
    """A text in the place of another.

    sha256:         of the new one, which expires at `expires_at`
    previous_until: so long the one before is taken too
    """

    sha256: bytes
    expires_at: datetime | None
    previous_until: datetime


def renew_token(
    connection: Connection, token_id: int, new: Renewal, now: datetime
) -> AccessToken:
    """The token with its new text. One from before the last is taken no more."""
    changed = connection.execute(
        update(tokens)
        .where(tokens.c.id == token_id)
        .values(
            previous_sha256=tokens.c.sha256,
            sha256=new.sha256,
            expires_at=new.expires_at,
            previous_until=new.previous_until,
            renewed_at=now,
        )
        .returning(*_COLUMNS)
    ).one()
    return _token(changed)


def revoke_token(connection: Connection, token_id: int, now: datetime) -> bool:
    """Whether it was valid until now."""
    done = connection.execute(
        update(tokens)
        .where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return done.rowcount == 1


def valid_tokens(connection: Connection, now: datetime) -> Mapping[bytes, AccessToken]:
    """By SHA-256: those that are neither revoked nor expired. One that was renewed
    lately also is there by that of the text that it had before; it expires as that
    does."""
    before = (tokens.c.previous_sha256, tokens.c.previous_until)
    rows = connection.execute(
        select(tokens.c.sha256, *before, *_COLUMNS).where(
            tokens.c.revoked_at.is_(None),
            or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now),
        )
    )
    found: dict[bytes, AccessToken] = {}
    for sha256, previous, until, *values in rows:
        found[sha256] = token = _token(values)
        if previous is not None and until > now:
            found[previous] = replace(token, expires_at=until)
    return found


def has_valid_token(database: Database, now: datetime) -> bool:
    """Whether anybody has one that opens something; a webhook's opens nothing."""
    with database.read() as connection:
        found = valid_tokens(connection, now).values()
    return any(token.role in PREFIXES for token in found)


def note_use(
    connection: Connection, token_id: int, used_at: datetime, *, at_most: timedelta
) -> None:
    """Keep when it was last used, unless what is kept is newer than `at_most` before:
    another process may have noted it."""
    connection.execute(
        update(tokens)
        .where(
            tokens.c.id == token_id,
            or_(
                tokens.c.last_used_at.is_(None),
                tokens.c.last_used_at <= used_at - at_most,
            ),
        )
        .values(last_used_at=used_at)
    )
