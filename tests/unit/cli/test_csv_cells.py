"""CSV of commands and CSV of the API: nothing in either is a formula."""

import pytest

from weighbridge.cli.tables import csv_table
from weighbridge.web.answers import cell


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"], ids=repr)
def test_no_text_is_a_formula(start: str) -> None:
    text = f"{start}cmd|' /C calc'!A0"

    assert f"'{start}cmd" in csv_table(["reason"], [{"reason": text}])
    assert cell(text) == f"'{text}"
