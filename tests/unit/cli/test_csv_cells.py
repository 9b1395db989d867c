"""CSV of commands and CSV of the API: nothing in either is a formula."""

import pytest

from weighbridge.presentation.forms.csv_json_markdown import csv_cell, csv_table


@pytest.mark.parametrize("start", list("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"), ids=repr)
def test_no_text_is_a_formula(start: str) -> None:
    text = f"{start}cmd|' /C calc'!A0"

    assert f"'{start}cmd" in csv_table(["reason"], [{"reason": text}])
    assert csv_cell(text) == f"'{text}"
