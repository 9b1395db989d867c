"""What `weighbridge waive` prints."""

from datetime import datetime
from functools import partial

from weighbridge.domain.policy.waiver import Waiver
from weighbridge.domain.report.inventory import Page
from weighbridge.presentation.forms.phrases import minute
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.violation_rows import WAIVER_COLUMNS, waiver_json


def created(waiver: Waiver, output: Output, now: datetime) -> str:
    """What is waived from now on."""
    if output != "table":
        return _table(now).printed([waiver], output, Screen())
    what = waiver.limit_key or "every limit"
    until = _until(waiver)
    return f"waived: {what} of {waiver} until {until} (waiver {waiver.id})"


def about_nothing(waiver: Waiver) -> str:
    """It may have been made before the first push, or with a slip in a name."""
    return (
        f"warning: nothing that is known is called {waiver}; "
        "the waiver holds once such a thing is pushed"
    )


def listed(page: Page[Waiver], output: Output, screen: Screen, now: datetime) -> str:
    """A row a waiver, the newest first."""
    more = f"the newest {len(page.items):,}; --limit shows more"
    foot = [more] if page.next_cursor else []
    return _table(now).printed(page.items, output, screen, foot=foot)


def revoked(waiver: Waiver, *, is_new: bool) -> str:
    """What was ended."""
    words = "revoked" if is_new else "was over before"
    return f"{words}: waiver {waiver.id} of {waiver}"


def _table(now: datetime) -> Table[Waiver]:
    return Table(
        columns=(
            Column("id", lambda waiver: str(waiver.id), rank=None),
            Column("state", lambda waiver: waiver.state(now), rank=2),
            Column("waived", str, "name"),
            Column("limit", lambda waiver: waiver.limit_key or "every limit", rank=4),
            Column("until", _until, rank=3),
            Column("by", lambda waiver: waiver.author, rank=1),
            Column("reason", lambda waiver: waiver.reason, "line"),
        ),
        keys=WAIVER_COLUMNS,
        as_object=partial(waiver_json, now=now),
        empty="nothing is waived",
    )


def _until(waiver: Waiver) -> str:
    return f"{minute(waiver.expires_at)} UTC"
