"""What `weighbridge token accept` does: tokens of files are those of the database."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from weighbridge.bootstrap.databases import ready_database
from weighbridge.cli.actions.tokens import system_user
from weighbridge.config import Settings
from weighbridge.config.file.regular_file import read_secret_file
from weighbridge.domain.access.roles import (
    AccessToken,
    checked_name,
    digest_of,
    role_of,
)
from weighbridge.domain.text.printable import printable
from weighbridge.errors import UsageError
from weighbridge.store.access import (
    Act,
    NewToken,
    find_token_of,
    note_act,
    replace_token,
)


class _OfFile(Struct, frozen=True):
    """A token as its file says; of its text only the SHA-256."""

    file: Path
    name: str
    role: str
    sha256: bytes


def accepted(settings: Settings, paths: Sequence[str]) -> str:
    """A line for each: accepted, in place of another one of its name, or known before.

    paths: files, and folders whose files are meant, those with a dot in front not

    Raises UsageError(invalid_token, invalid_token_name, token_exists),
    ConfigError(secret_file).
    """
    found = [_read(file) for path in paths for file in _files(Path(path))]
    if not found:
        raise _invalid(Path(paths[0]), "contains no file")
    now, lines = datetime.now(UTC), []
    with ready_database(settings) as database, database.write() as connection:
        for token in found:
            if (known := find_token_of(connection, token.sha256)) is not None:
                _check_same(token, known, now)
                lines.append(f"accepted before: {token.name} ({token.role})")
                continue
            new = NewToken(token.name, token.role, token.sha256, None)
            before = replace_token(connection, new, now)
            acts = [("token.revoke", "")] * len(before) + [("token.create", token.role)]
            for act, detail in acts:
                note_act(connection, Act(now, system_user(), act, token.name, detail))
            replaced = ", the one before is revoked" if before else ""
            lines.append(f"accepted{replaced}: {token.name} ({token.role})")
    return "\n".join(lines)


def _files(path: Path) -> Iterator[Path]:
    """Kubernetes keeps the files of a volume behind links, in folders with a dot."""
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.iterdir()):
        if not file.name.startswith("."):
            yield file


def _read(file: Path) -> _OfFile:
    text = read_secret_file(file).reveal()
    role = role_of(text)
    if role is None:
        raise _invalid(file, "holds no token")
    return _OfFile(file, checked_name(file.name), role, digest_of(text))


def _check_same(token: _OfFile, known: AccessToken, now: datetime) -> None:
    """Raises UsageError(token_exists) for one that was called otherwise or ended, also
    by being renewed."""
    if known.state(now) != "valid" or known.name != token.name:
        raise UsageError(
            f"{token.file} holds the token {known.name!r}, which is {known.state(now)}",
            code="token_exists",
            hint="write into the file what `weighbridge token rotate` printed, or "
            "another token; or name the file as the token is called",
        )


def _invalid(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{printable(str(path), 200)} {why}",
        code="invalid_token",
        hint="wbr_, wbm_ or wba_ and 32 random bytes in base64url: "
        "docs/security.md, tokens",
    )
