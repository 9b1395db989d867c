"""What `weighbridge token` prints."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from weighbridge.bootstrap.commands.tokens import Created
from weighbridge.domain.access.roles import AccessToken
from weighbridge.domain.size.weighing import rfc3339
from weighbridge.presentation.forms.csv_json_markdown import json_text
from weighbridge.presentation.forms.phrases import minute
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.row_fields import row_of

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


def created(made: Created, output: Output) -> str:
    """The text of the token; for people nothing else, so that it can be piped."""
    secret = made.secret.reveal()
    if output == "table":
        return secret
    row = {"token": secret, **_row(made.token, made.token.created_at)}
    if output == "json":
        return json_text(row)
    table: Table[Mapping[str, object]] = Table(
        keys=tuple(row), as_object=dict, has_keys_in_markdown=True
    )
    return table.printed([row], output, Screen())


def listed(
    tokens: Sequence[AccessToken], now: datetime, output: Output, screen: Screen
) -> str:
    """A row a token; never what it was made of."""
    return _table(now).printed(tokens, output, screen)


def revoked(token: AccessToken, *, is_new: bool) -> str:
    """What was ended."""
    words = "revoked" if is_new else "was revoked before"
    return f"{words}: {token.name} ({token.role})"


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
