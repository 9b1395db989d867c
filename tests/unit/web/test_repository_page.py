"""The page of one repository."""

from dataclasses import replace

import pytest

from support.pages import repository_tree
from support.read_model import (
    HOUR,
    NOW,
    a_registry_report,
    a_repository_report,
    a_tag_report,
)
from weighbridge.domain.report.inventory import RepositoryState


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
    gone = replace(a_tag_report("rc1"), deleted_at=NOW - 21 * 24 * HOUR)

    page = repository_tree(a_repository_report(), [gone, a_tag_report("1.0")])

    first, second = page.one("table").one("tbody").all("tr")
    assert first.one("del").text == "rc1"
    assert "deleted 21 d ago" in first.text
    assert second.one("a").attributes["href"] == "/image?ref=hub/shop/api:1.0"


def test_a_tag_that_could_not_be_read_says_why_and_has_no_number() -> None:
    failed = replace(
        a_tag_report("pr-1193"),
        compressed_bytes=None,
        uncompressed_bytes=None,
        error_code="rate_limited",
        error_message="the manifest was answered with 429",
    )

    page = repository_tree(a_repository_report(), [failed], unknown="timeout")

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


def test_the_storage_of_a_repository_names_the_set_and_what_deleting_frees() -> None:
    page = repository_tree(a_repository_report(), [])

    panel = page.one("div", "storage")
    assert (
        "Deleting the repository frees 2.38 GB after garbage collection: nothing else "
        "in the registry hub refers to that. The other 1.04 GB stay" in panel.text
    )
    facts = dict(
        zip(
            [dt.text for dt in panel.all("dt")],
            [dd.amounts()[0] for dd in panel.all("dd")],
            strict=True,
        )
    )
    assert facts == {
        "Shared with others": 1_041_960_008,
        "Exclusive to this repository": 2_377_540_112,
        "Stored, each blob once": 3_419_500_120,
        "Sum over tags": 18_204_118_006,
    }


def test_where_each_project_has_its_own_blobs_the_project_is_named() -> None:
    report = replace(a_repository_report(), storage_scope="hub/shop")
    registry = replace(a_registry_report(), storage_scope_kind="project")

    page = repository_tree(report, [], registry)

    assert "nothing else in the project hub/shop refers" in page.one("main").text


def test_a_repository_that_shares_nothing_says_so() -> None:
    report = replace(
        a_repository_report(), shared_bytes=0, exclusive_bytes=3_419_500_120
    )
    registry = replace(a_registry_report(), storage_scope_kind="repository")

    page = repository_tree(report, [], registry)

    assert "deleting it frees 3.42 GB, all of it" in page.one("main").text
    assert page.one("div", "storage").all("rect", "p-sh") != []  # its key stays


def test_what_was_never_read_has_no_storage() -> None:
    report = replace(
        a_repository_report(),
        deduplicated_bytes=None,
        shared_bytes=None,
        exclusive_bytes=None,
    )

    page = repository_tree(report, [])

    assert page.all("div", "storage") == []


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("partial", "too_many_tags", "it has more tags than are read of one"),
        ("partial", "removals_held", "more than half of its tags are missing at once"),
        (
            "partial",
            "bad_answer",
            "06:40 UTC (bad_answer). It was last crawled in full",
        ),
        ("missing", "name_unknown", "that there is no such repository (name_unknown)"),
        ("unauthorized", "unauthorized", "The registry refuses us"),
        ("unreachable", "connect_error", "There is no answer"),
        ("deleted", "", "The registry no longer has it"),
    ],
)
def test_a_state_is_said_in_words_with_its_age(
    state: RepositoryState, reason: str, words: str
) -> None:
    report = replace(
        a_repository_report(),
        state=state,
        state_reason=reason,
        state_since=NOW - 3 * HOUR,
        last_complete_crawl_at=NOW - 4 * HOUR,
    )

    page = repository_tree(report, [])

    (banner,) = page.all("div", "banner")
    assert words in banner.text
    assert "since 2026-09-22 06:40 UTC" in banner.text
    assert "2026-09-22 05:40 UTC, 4 h ago" in banner.text


def test_sizes_that_are_claimed_or_disputed_are_marked_with_both_figures() -> None:
    report = replace(
        a_repository_report(),
        newest_compressed_bytes=3_000_000,
        newest_compressed_confidence="disputed",
        newest_claimed_bytes=1,
    )
    claimed = replace(
        a_tag_report("2.0"),
        compressed_bytes=70,
        compressed_confidence="claimed",
        claimed_bytes=70,
    )

    page = repository_tree(report, [claimed, a_tag_report("1.0")])

    mark = page.one("dl", "figures").one("span", "whose")
    assert mark.text == "≠"
    assert mark.attributes["title"] == (
        "Disputed: the registry says 3,000,000 bytes, the manifest 1 byte."
        " The registry's figure is used"
    )
    first, second = page.one("table").one("tbody").all("tr")
    assert first.one("span", "whose").attributes["title"] == (
        "Claimed: the manifest says 70 bytes, which the registry has not confirmed"
    )
    assert second.all("span", "whose") == []


def test_tags_of_one_image_share_a_row_with_what_deleting_them_frees() -> None:
    page = repository_tree(a_repository_report(), [a_tag_report("1.5.0")])

    row = page.one("table").one("tbody").one("tr")
    assert row.all("td")[-1].text == "7.00 kB"


def test_where_it_is_not_known_what_deletion_frees_the_reason_stands_there() -> None:
    why = "its last crawl did not see all of it (timeout)"

    page = repository_tree(a_repository_report(), [a_tag_report("1")], unknown=why)

    cell = page.one("table").one("tbody").one("tr").all("td")[-1]
    assert cell.text == "unknown"
    assert cell.one("span", "unknown").attributes["title"] == f"Not known: {why}"


def test_what_is_gone_frees_nothing_any_more() -> None:
    gone = replace(a_tag_report("rc1"), deleted_at=NOW - 21 * 24 * HOUR)

    page = repository_tree(a_repository_report(), [gone])

    assert page.one("table").one("tbody").one("tr").all("td")[-1].text == "gone"
