"""The page of one repository."""

from dataclasses import replace

import pytest

from support.pages import repository_tree
from support.read_model import HOUR, NOW, a_repository_report, a_tag_report


@pytest.mark.parametrize(
    ("baseline", "text", "css"),
    [
        (445_914_274, "▲ +143 %", "up"),
        (1_060_000_000, "▲ +2 %", ""),
        (1_082_700_595, "±0 %", ""),
        (2_000_000_000, "▼ −46 %", "down"),  # noqa: RUF001 - the sign of the pages
    ],
)
def test_growth_has_arrow_sign_and_from_five_percent_on_a_colour(
    baseline: int, text: str, css: str
) -> None:
    report = replace(a_repository_report(), baseline_compressed_bytes=baseline)

    page = repository_tree(report, [])

    big = page.one("dl", "figures").all("span", "big")[2]
    assert big.text == text
    assert big.classes == {"big", css} - {""}


def test_growth_is_unknown_below_three_images() -> None:
    report = replace(a_repository_report(), baseline_compressed_bytes=None)

    page = repository_tree(report, [])

    assert "fewer than three images" in page.one("dl", "figures").text


def test_a_tag_that_is_gone_is_struck_out_with_its_date() -> None:
    gone = replace(a_tag_report("rc1"), gone_at=NOW - 21 * 24 * HOUR)

    page = repository_tree(a_repository_report(), [gone, a_tag_report("1.0")])

    first, second = page.one("table").one("tbody").all("tr")
    assert first.one("del").text == "rc1"
    assert "gone 21 d ago" in first.text
    assert second.one("a").attributes["href"] == "/image?ref=hub/shop/api:1.0"


def test_a_tag_that_could_not_be_read_says_why_and_has_no_number() -> None:
    failed = replace(
        a_tag_report("pr-1193"),
        compressed_bytes=None,
        uncompressed_bytes=None,
        error_code="rate_limited",
        error_message="the manifest was answered with 429",
    )

    page = repository_tree(a_repository_report(), [failed])

    row = page.one("table").one("tbody").one("tr")
    assert row.amounts() == []
    titles = {e.attributes.get("title") for e in row.all("span")}
    assert "the manifest was answered with 429" in titles


def test_a_chart_is_none_and_not_unknown() -> None:
    chart = replace(
        a_tag_report("chart"),
        kind="artifact",
        compressed_bytes=None,
        uncompressed_bytes=None,
    )

    page = repository_tree(a_repository_report(), [chart])

    row = page.one("table").one("tbody").one("tr")
    assert row.one("span", "unknown").text == "none"
    assert "no image" in row.text
