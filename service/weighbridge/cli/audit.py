"""`weighbridge audit`: what admins did."""

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.process.streams import emit

if TYPE_CHECKING:
    from weighbridge.presentation.forms.table import Table
    from weighbridge.store.access import Act

_EXAMPLES: Final = """\b
Examples:
  weighbridge audit
  weighbridge audit --since 7d -o csv
  weighbridge audit --since 2026-11-01
"""


@click.command(epilog=_EXAMPLES)
@click.option(
    "--since",
    metavar="DAY|DURATION",
    help="Only what was done since then: 2026-11-01, a moment with its zone, or 7d.",
)
@common_options(results=True, sizes=False)
def command(options: Options, since: str | None) -> None:
    """List what admins did, the oldest first: when, who, what, and to what.

    Rows are only ever added. A name with cli: is a user of the system who ran a
    command, one with user: signed in at the proxy; every other is a token.
    """
    settings = options.settings()

    from weighbridge.bootstrap.databases import read_database
    from weighbridge.domain.text.units import parse_since
    from weighbridge.store.access import acts

    begin = None if since is None else parse_since(since, datetime.now(UTC))
    with read_database(settings) as connection:
        found = acts(connection, begin)
    emit(_table().printed(found, options.output, options.screen()))


def _table() -> "Table[Act]":
    from weighbridge.domain.size.weighing import rfc3339
    from weighbridge.domain.text.printable import printable
    from weighbridge.presentation.forms.table import Column, Table
    from weighbridge.presentation.rows.report_rows import keys_of, row_of
    from weighbridge.store.access import Act

    keys = keys_of(Act)
    return Table(
        columns=(
            Column("at", lambda act: rfc3339(act.at) or "", rank=4),
            Column("who", lambda act: printable(act.actor), rank=3),
            Column("did", lambda act: act.act, rank=2),
            Column("to", lambda act: printable(act.subject), "name"),
            Column("detail", lambda act: printable(act.detail), rank=1),
        ),
        keys=keys,
        as_object=partial(row_of, keys),
        has_keys_in_markdown=True,
        empty="nothing was done",
    )
