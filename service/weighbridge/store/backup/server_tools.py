"""PostgreSQL's own commands for a backup, as a person is to run them."""

import shlex

from sqlalchemy.engine import URL

from weighbridge.errors import UsageError


def dump_needed(address: URL, file: str) -> UsageError:
    """What is said of a database on a server, in place of backing it up."""
    return UsageError(
        "a database of PostgreSQL is backed up by its own program",
        code="use_pg_dump",
        hint=shlex.join(
            [
                "pg_dump",
                "--format=custom",
                f"--file={file}",
                f"--dbname={_shown(address)}",
            ]
        ),
    )


def restore_needed(address: URL, file: str) -> UsageError:
    """The same of restoring."""
    return UsageError(
        "a database of PostgreSQL is restored by its own program, into an empty one",
        code="use_pg_restore",
        hint=shlex.join(
            [
                *("pg_restore", "--no-owner", "--single-transaction"),
                *(f"--dbname={_shown(address)}", file),
            ]
        ),
    )


def _shown(address: URL) -> str:
    """Without the password, which others on the machine could read: PGPASSWORD or a
    password file has it."""
    bare = URL.create(
        "postgresql",
        username=address.username,
        host=address.host,
        port=address.port,
        database=address.database,
        query={k: v for k, v in address.query.items() if "password" not in k},
    )
    return bare.render_as_string(hide_password=False)
