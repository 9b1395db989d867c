"""The page of one repository."""

from dataclasses import replace
from typing import Literal

import pytest
from starlette.testclient import TestClient

from support.html import Element, parse
from support.images import a_layer, an_image, an_index_of
from support.pages import repository_tree
from support.read_model import (
    HOUR,
    NOW,
    a_registry_report,
    a_repository_report,
    a_tag_report,
)
from support.store_world import World
from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.report.inventory import RepositoryState, TagReport
from weighbridge.domain.size.confidence import Confidence
from weighbridge.web.views.repository import TagSort, TagTable


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


def test_where_it_is_not_known_what_deletion_frees_no_sum_is_promised() -> None:
    why = "tags are left out by the configuration (tags)"

    page = repository_tree(a_repository_report(), [a_tag_report("1")], unknown=why)

    panel = page.one("div", "storage").text
    assert f"What deleting it or its tags frees is not known: {why}." in panel
    assert "Deleting the repository frees" not in panel


def test_what_is_gone_frees_nothing_any_more() -> None:
    gone = replace(a_tag_report("rc1"), deleted_at=NOW - 21 * 24 * HOUR)

    page = repository_tree(a_repository_report(), [gone])

    assert page.one("table").one("tbody").one("tr").all("td")[-1].text == "gone"


def a_tag(name: str, megabytes: int | None) -> TagReport:
    size = None if megabytes is None else megabytes * 1_000_000
    return replace(a_tag_report(name), compressed_bytes=size, claimed_bytes=size)


def gone(name: str, megabytes: int) -> TagReport:
    return replace(a_tag(name, megabytes), deleted_at=NOW)


def cells(page: Element, heading: str) -> list[Element]:
    """The column of the table of tags with this heading."""
    table = page.one("table")
    headings = [th.text for th in table.one("thead").all("th")]
    place = headings.index(heading)
    rows = table.one("tbody").all("tr")
    return [[c for c in row.parts if isinstance(c, Element)][place] for row in rows]


def test_the_change_is_against_the_image_before_of_names_like_it() -> None:
    tags = [
        a_tag("1.5.0", 1080),
        a_tag("1.5.0-slim", 120),
        gone("1.4.2-rc1", 471),
        a_tag("1.4.2", 470),
        a_tag("1.4.1-slim", 120),
        a_tag("nightly", 900),
    ]

    page = repository_tree(a_repository_report(), tags, behind=a_tag("1.4.1", 460))

    changes = cells(page, "Change")
    assert [cell.text for cell in changes] == [
        "\u25b2 +610 MB",
        "\u00b10",
        "",
        "\u25b2 +10.0 MB",
        "",
        "",
    ]
    assert [cell.one("a").classes for cell in changes if cell.text] == [
        {"up"},
        {"flat"},
        {"flat"},
    ]
    assert changes[3].one("a").attributes["href"] == (
        "/compare?a=hub/shop/api:1.4.1&b=:1.4.2"
    )


def test_what_is_gone_has_a_change_and_no_link_and_is_before_nothing() -> None:
    tags = [
        a_tag("1.3", 480),
        gone("1.2", 999),
        a_tag("1.1", 470),
    ]

    page = repository_tree(a_repository_report(), tags)

    newest, deleted, _ = cells(page, "Change")
    assert newest.text == "\u25b2 +10.0 MB"
    assert deleted.text == "\u25b2 +529 MB"
    assert "href" not in deleted.one("a").attributes


def test_a_size_that_is_not_known_or_of_another_platform_changes_nothing() -> None:
    tags = [
        a_tag("1.4", 480),
        a_tag("1.3", None),
        replace(a_tag("1.2", 470), platform="linux/arm64"),
    ]

    page = repository_tree(a_repository_report(), tags)

    assert [cell.text for cell in cells(page, "Change")] == ["", "", ""]


PYTHON = BaseInWords("library/python:3.7", (), 9, "base", "layers", 348_000_000)


def test_the_bar_has_the_part_of_the_base_and_the_limit_on_one_scale() -> None:
    tags = [a_tag("2", 1000), a_tag("1", 400)]

    page = repository_tree(
        a_repository_report(), tags, base=PYTHON, limits={"2": 500_000_000}
    )

    bars = [svg for svg in page.one("table").all("svg") if "c" in svg.classes]
    widths = [
        [(r.attributes["width"], r.attributes.get("fill")) for r in bar.all("rect")]
        for bar in bars
    ]
    assert widths == [
        [("34.80%", "url(#h-base)"), ("65.20%", None)],
        [("34.80%", "url(#h-base)"), ("5.20%", None)],
    ]
    (tick,) = page.one("table").all("line", "tick")
    assert tick.attributes["x1"] == "50.00%"
    assert [cell.text for cell in cells(page, "Base")] == ["python:3.7"] * 2


def test_a_base_that_only_shares_layers_is_not_called_the_base() -> None:
    relative = BaseInWords("library/debian:11", (), 1, "relative", "layers", None)

    page = repository_tree(a_repository_report(), [a_tag("1", 400)], base=relative)

    assert cells(page, "Base")[0].text == "shared with debian:11"


def test_a_verdict_has_a_word_an_icon_and_the_share_of_the_limit() -> None:
    tags = [
        replace(a_tag("5", 1085), over=("max_compressed",)),
        a_tag("4", 490),
        a_tag("3", 310),
        replace(a_tag("2", 310), over=("max_layers",)),
        a_tag("1", None),
        gone("0", 900),
    ]
    limits = dict.fromkeys("543210", 500_000_000)

    page = repository_tree(a_repository_report(), tags, limits=limits)

    column = cells(page, "Verdict")
    assert [cell.text for cell in column] == [
        "over 217 %",
        "near 98 %",
        "within 62 %",
        "over",
        "",
        "",
    ]
    icons = [cell.one("use").attributes["href"] for cell in column[:4]]
    assert icons == ["#i-over", "#i-near", "#i-ok", "#i-over"]
    assert column[3].one("span", "v").attributes["title"] == "Over max_layers"


def test_without_limits_and_bases_there_are_no_columns_of_them() -> None:
    page = repository_tree(a_repository_report(), [a_tag("1", 400)])

    headings = page.one("table").one("thead").text
    assert "Verdict" not in headings
    assert "Base" not in headings


def test_live_images_are_chosen_for_a_comparison_and_nothing_else() -> None:
    tags = [
        a_tag("2", 1000),
        gone("1-rc", 400),
        replace(a_tag("chart", None), kind="artifact"),
        a_tag("1", 400),
    ]

    page = repository_tree(a_repository_report(), tags)

    form = next(f for f in page.all("form") if f.attributes.get("id") == "choice")
    boxes = [
        i for i in page.one("table").all("input") if i.attributes["form"] == "choice"
    ]
    assert form.attributes["action"] == "/compare"
    assert form.one("input").attributes["value"] == "hub/shop/api"
    assert [(b.attributes["name"], b.attributes["value"]) for b in boxes] == [
        ("tag", "2"),
        ("tag", "1"),
    ]


def test_one_image_is_compared_with_none() -> None:
    page = repository_tree(a_repository_report(), [a_tag("2", 1000)])

    assert page.one("table").all("input") == []


def on_disk(tag: TagReport, megabytes: int | None) -> TagReport:
    number = None if megabytes is None else megabytes * 1_000_000
    word: Confidence | None = None if number is None else "exact"
    return replace(tag, uncompressed_bytes=number, uncompressed_confidence=word)


def test_on_disk_bars_and_changes_are_of_what_a_disk_takes() -> None:
    tags = [
        on_disk(a_tag("1.4", 500), 1_000),
        on_disk(a_tag("1.3", 480), 800),
        on_disk(a_tag("1.2", 470), None),
    ]

    page = repository_tree(
        a_repository_report(), tags, base=PYTHON, table=TagTable(is_on_disk=True)
    )

    assert [cell.text for cell in cells(page, "Change")] == [
        "\u25b2 +200 MB",
        "unknown",
        "",
    ]
    rects = [cell.one("rect").attributes for cell in cells(page, "Bar")]
    assert [(r["width"], r.get("fill")) for r in rects] == [
        ("100.00%", None),
        ("80.00%", None),
        ("99%", "url(#h-unknown)"),
    ]


@pytest.mark.parametrize(
    ("sort", "order", "expected"),
    [
        ("newest", "desc", ["1.9", "1.10", "gone", "new"]),
        ("newest", "asc", ["new", "gone", "1.10", "1.9"]),
        ("name", "asc", ["1.9", "1.10", "gone", "new"]),
        ("compressed", "desc", ["1.10", "gone", "1.9", "new"]),
        ("compressed", "asc", ["1.9", "gone", "1.10", "new"]),
        ("uncompressed", "desc", ["1.9", "1.10", "gone", "new"]),
        # What is gone frees nothing any more: that is no number.
        ("frees", "asc", ["1.9", "1.10", "new", "gone"]),
    ],
)
def test_rows_are_put_in_order_and_those_without_a_value_come_last(
    sort: TagSort, order: Literal["asc", "desc"], expected: list[str]
) -> None:
    tags = [
        on_disk(a_tag("1.9", 100), 900),
        on_disk(a_tag("1.10", 300), 300),
        on_disk(gone("gone", 200), None),
        on_disk(a_tag("new", None), None),
    ]

    page = repository_tree(a_repository_report(), tags, table=TagTable(sort, order))

    rows = page.one("table").one("tbody").all("tr")
    assert [row.one("th").all("", "chip")[0].text for row in rows] == expected


def test_a_column_is_sorted_by_a_link_that_says_in_which_order_it_is(
    client: TestClient, world: World
) -> None:
    world.crawl({f"1.{n}": an_image([a_layer(n, 9 - n)]) for n in range(3)})
    whole = "/repository?ref=hub/acme/app"

    page = parse(client.get(f"{whole}&show=uncompressed").text)
    heads = page.all("table", "wide")[-1].one("thead").all("th")
    sorted_now = {
        th.text: th.attributes["aria-sort"]
        for th in heads
        if "aria-sort" in th.attributes
    }
    href = next(th.one("a").attributes["href"] for th in heads if "Comp" in th.text)
    by_size = parse(client.get(href or "").text)

    assert sorted_now == {"When \u2193": "descending"}
    assert "show=uncompressed&sort=compressed&order=desc" in (href or "")
    rows = by_size.all("table", "wide")[-1].one("tbody").all("tr")
    assert [row.one("th").one("a").text for row in rows] == ["1.0", "1.1", "1.2"]
    few = parse(client.get(f"{href}&limit=2").text)
    assert "2 rows shown of 3 tags" in few.all("footer")[0].text


def test_pages_go_on_newest_first_alone(client: TestClient, world: World) -> None:
    world.crawl({f"1.{n}": an_image([a_layer(n, 9)]) for n in range(3)})
    whole = "/repository?ref=hub/acme/app"
    first = parse(client.get(f"{whole}&limit=1").text)
    more = first.all("footer")[0].one("a").attributes["href"]

    refused = client.get(f"{more}&sort=name")

    assert refused.status_code == 400
    assert "pages go on newest first" in refused.text


def test_platforms_are_named(client: TestClient, world: World) -> None:
    amd = an_image([a_layer("amd", 9)])
    arm = an_image([a_layer("arm", 9)], platform=Platform("linux", "arm64"))
    windows = an_image([a_layer("w", 9)], platform=Platform("windows", "amd64"))
    world.keep(amd, arm, windows)
    world.crawl({"1": an_index_of(windows, arm, amd)})

    page = parse(client.get("/repository?ref=hub/acme/app").text)

    table = page.all("table", "wide")[-1]
    place = [th.text for th in table.one("thead").all("th")].index("Platforms")
    row = table.one("tbody").one("tr")
    shown = [c for c in row.parts if isinstance(c, Element)][place]
    assert shown.text == "amd64, arm64, windows/amd64"


def test_the_filter_keeps_the_state_of_the_page_and_leads_back(
    client: TestClient, world: World
) -> None:
    world.crawl({f"1.{n}": an_image([a_layer(n, 9)]) for n in range(3)})
    whole = "/repository?ref=hub/acme/app"

    page = parse(client.get(f"{whole}&since=90d&scale=log&tag=1.1*").text)
    none = parse(client.get(f"{whole}&tag=2*").text)

    rows = page.all("table", "wide")[-1].one("tbody").all("tr")
    assert [row.one("th").one("a").text for row in rows] == ["1.1"]
    form = next(f for f in page.all("form") if f.attributes["action"] == "/repository")
    sent = {i.attributes["name"]: i.attributes["value"] for i in form.all("input")}
    assert sent == {
        "ref": "hub/acme/app",
        "since": "90d",
        "scale": "log",
        "tag": "1.1*",
    }
    back = form.one("a").attributes["href"]
    assert back == "/repository?ref=hub%2Facme%2Fapp&since=90d&scale=log"
    assert "No tag fits the filter." in none.text


def test_a_page_in_any_state_has_its_tags_as_json_and_csv(
    client: TestClient, world: World
) -> None:
    world.crawl({"1": an_image([a_layer("x", 9)])})

    page = client.get("/repository?ref=hub/acme/app&since=90d&scale=log&tag=1")

    foot = parse(page.text).one("footer", "foot")
    links = [a.attributes["href"] for a in foot.all("a")]
    assert [client.get(link).status_code for link in links] == [200, 200]
