"""Values as cells of CSV, for a spreadsheet that runs what looks like a formula."""

from typing import Final

_FORMULA: Final = (
    *("=", "+", "-", "@", "\t", "\r", "\n"),
    # Full-width: a spreadsheet in an East Asian locale reads them as the others.
    *("\uff1d", "\uff0b", "\uff0d", "\uff20"),
)


def csv_cell(value: object) -> object:
    """Unknown is empty, `true` and `false` are spelt as in JSON, and a text that begins
    like a formula gets an apostrophe before it (OWASP, "CSV Injection")."""
    if value is None:
        return ""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
