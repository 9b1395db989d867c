"""What `weighbridge token` prints."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from weighbridge.bootstrap.commands.tokens import Created
from weighbridge.domain.access.roles import AccessToken
from weighbridge.presentation.forms.screen import Output, Screen, aligned
from weighbridge.presentation.forms.tables import (
    code,
    csv_table,
    json_text,
    markdown_table,
)

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
    until = _moment(token.expires_at) if token.expires_at else "it is revoked"
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
    if output == "csv":
        return csv_table(list(row), [row])
    return markdown_table(list(row), [[code(_cell(value)) for value in row.values()]])


def listed(
    tokens: Sequence[AccessToken], now: datetime, output: Output, screen: Screen
) -> str:
    """A row a token; never what it was made of."""
    rows = [_row(token, now) for token in tokens]
    if output == "json":
        return json_text({"items": rows})
    if output == "csv":
        return csv_table(_KEYS, rows)
    cells = [[_cell(row[key]) for key in _KEYS] for row in rows]
    if output == "markdown":
        return markdown_table(_KEYS, [[code(cell) for cell in row] for row in cells])
    if not rows:
        return "there is no token yet: weighbridge token create --role read"
    return "\n".join(_table(cells, screen))


def revoked(token: AccessToken, *, is_new: bool) -> str:
    """What was ended."""
    words = "revoked" if is_new else "was revoked before"
    return f"{words}: {token.name} ({token.role})"


def _row(token: AccessToken, now: datetime) -> Mapping[str, object]:
    times = (
        token.created_at,
        token.last_used_at,
        token.expires_at,
        token.revoked_at,
    )
    values = (token.id, token.name, token.role, token.state(now))
    written = [None if time is None else _rfc3339(time) for time in times]
    return dict(zip(_KEYS, (*values, *written), strict=True))


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _table(rows: Sequence[Sequence[str]], screen: Screen) -> list[str]:
    heads = [key.removesuffix("_at").replace("_", " ").upper() for key in _KEYS]
    shown = [heads, *([cell or "never" for cell in row] for row in rows)]
    return aligned(shown, screen, gap=2)
