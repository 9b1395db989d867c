"""The first page in each of its states."""

from dataclasses import replace

import pytest

from support.html import Element
from support.pages import overview_html, overview_tree
from support.read_model import HOUR, MINUTE, NOW, a_registry_report, a_repository_report
from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.store.reports.repositories import RepositoryQuery


def an_unread_repository(name: str = "shop/queued") -> RepositoryReport:
    """A repository that was listed and not yet looked at."""
    return replace(
        a_repository_report(name),
        state="new",
        last_crawl_at=None,
        last_complete_crawl_at=None,
        newest_tag=None,
        newest_digest=None,
        newest_platform=None,
        newest_compressed_bytes=None,
        newest_uncompressed_bytes=None,
        newest_uncompressed_confidence=None,
        heaviest_instruction=None,
        heaviest_compressed_bytes=None,
        tags=0,
    )


def weighing(name: str, compressed_bytes: int) -> RepositoryReport:
    """A repository whose newest image has this size."""
    return replace(a_repository_report(name), newest_compressed_bytes=compressed_bytes)


def figures(page: Element) -> dict[str, str]:
    """The key numbers by their names."""
    return {
        div.one("dt").text: div.one("dd").text
        for div in page.one("dl", "figures").all("div")
    }


def test_the_foot_is_the_sum_of_the_rows() -> None:
    rows = [weighing("a/b", 4_872_106_311), weighing("c/d", 1_082_700_595)]

    registry = replace(a_registry_report(), newest_compressed_bytes=5_954_806_906)

    page = overview_tree([registry], rows)

    table = page.one("table")
    column = [row.all("td")[0].amounts()[0] for row in table.one("tbody").all("tr")]
    assert table.one("tfoot").amounts() == [sum(column)] == [5_954_806_906]
    assert "5.95 GB" in figures(page)["Newest images, compressed"]


def test_a_total_that_is_known_has_no_reason_why_it_is_not() -> None:
    known = overview_html([a_registry_report()], [weighing("a/b", 1000)])
    nothing = replace(a_registry_report(), newest_compressed_bytes=None)
    unknown = overview_html([nothing], [])

    assert "No image is read yet" not in known
    assert "No image is read yet" in unknown


def test_a_first_crawl_compares_no_sums_that_are_not_of_the_same_images() -> None:
    registry = replace(a_registry_report(), repositories=51, repositories_pending=33)

    page = overview_tree([registry], [an_unread_repository()])

    assert figures(page)["Stored in the registry"].endswith("each blob once, so far")
    assert page.one("table").one("tbody").all("td")[-1].text == ""


def test_nothing_that_was_asked_yet_is_not_shown_as_zero() -> None:
    registry = replace(
        a_registry_report(), requests=0, bytes_read=0, weighed_bytes=None
    )

    page = overview_tree([registry], [])

    assert figures(page)["Read so far"].startswith("not yet")


def test_bars_of_all_rows_have_one_scale() -> None:
    rows = [weighing("a/b", 1000), weighing("c/d", 250), weighing("e/f", 1)]

    page = overview_tree([a_registry_report()], rows)

    widths = [
        rect.attributes["width"] for rect in page.one("table").one("tbody").all("rect")
    ]
    assert widths == ["100.00%", "25.00%", "0.60%"]


def test_a_row_leads_to_its_repository_and_to_its_newest_image() -> None:
    page = overview_tree([a_registry_report()], [a_repository_report("shop/api")])

    links = [a.attributes["href"] for a in page.one("table").one("tbody").all("a")]
    assert links == [
        "/repository?ref=hub/shop/api",
        "/image?ref=hub/shop/api:1.5.0",
    ]


def test_the_heaviest_line_is_short_and_whole_on_demand() -> None:
    text = (
        "RUN set -eux; apt-get update; apt-get install -y --no-install-recommends "
        + ("imagemagick " * 20)
    )
    report = replace(a_repository_report(), heaviest_instruction=text)

    page = overview_tree([a_registry_report()], [report])

    code = page.one("td", "cmdcell").one("code")
    assert code.text.startswith("RUN apt-get install … imagemagick")
    assert len(code.text) <= 60
    assert code.attributes["title"] == text


def test_columns_sort_by_links_and_turn_on_the_second_click() -> None:
    page = overview_tree([a_registry_report()], [a_repository_report()])

    (head,) = [th for th in page.all("th") if "aria-sort" in th.attributes]
    links = {a.text: a.attributes["href"] for a in page.one("thead").all("a")}
    assert head.attributes["aria-sort"] == "descending"
    assert links["Compressed ↓"] == "/?sort=compressed&order=asc"
    assert links["Repository"] == "/?sort=name&order=asc"
    assert links["On disk"] == "/?sort=uncompressed&order=desc"


def test_what_was_read_stands_beside_what_was_weighed() -> None:
    page = overview_tree([a_registry_report()], [a_repository_report()])

    assert figures(page)["Read to weigh 48.1 GB"] == "3.38 MB 1,640 requests"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("unauthorized", "hub refuses us since 2026-09-22 07:40 UTC"),
        ("unreachable", "hub cannot be reached since 2026-09-22 07:40 UTC"),
    ],
)
def test_a_failing_registry_is_said_and_its_numbers_stay(
    state: str, words: str
) -> None:
    registry = replace(
        a_registry_report(),
        state="unauthorized" if state == "unauthorized" else "unreachable",
        state_reason="the token server answers 401",
        state_since=NOW - 2 * HOUR,
        last_success_at=NOW - 3 * HOUR,
    )

    page = overview_tree([registry], [a_repository_report()])

    banner = page.one("div", "bad").text
    assert banner.startswith(words)
    assert "the token server answers 401" in banner
    assert "Its 4 repositories show what was known 3 h ago" in banner
    assert page.one("table").one("tfoot").amounts() == [1_082_700_595]


def test_tags_that_could_not_be_read_are_counted() -> None:
    registry = replace(a_registry_report(), tags_failed=12)

    page = overview_tree([registry], [a_repository_report()])

    assert page.one("div", "banner").text.startswith("hub 12 tags of 412 could not")


def test_data_older_than_two_intervals_is_stale() -> None:
    stale = replace(a_registry_report("old"), last_success_at=NOW - 2 * HOUR - MINUTE)

    page = overview_tree([stale, a_registry_report()], [a_repository_report()])

    pill = page.one("a", "fresh")
    assert pill.text == "1 of 2 stale"
    assert "warn" in pill.classes


def test_nothing_configured_shows_how_to_begin() -> None:
    page = overview_tree([], [])

    assert page.one("h1").text == "Nothing on the scale yet"
    commands = [pre.text for pre in page.all("pre", "code")]
    assert "weighbridge inspect python:3.7" in commands
    assert page.all("dl", "figures") == []


def test_a_first_crawl_shows_rows_as_they_land() -> None:
    registry = replace(
        a_registry_report("harbor"),
        state="new",
        last_success_at=NOW,
        repositories=51,
        repositories_pending=33,
    )
    rows = [a_repository_report("shop/api"), an_unread_repository()]

    page = overview_tree([registry], rows)

    assert page.one("h1").text == "Weighing harbor for the first time"
    assert figures(page)["Repositories"] == "18 of 51 known the listing is complete"
    words = [w.text for w in page.one("table").all("span", "unknown")]
    assert words == ["not yet", "not yet"]
    assert "weighing" in page.one("table").one("tbody").text


def test_a_first_crawl_asks_again_without_script() -> None:
    registry = replace(
        a_registry_report(),
        state="new",
        repositories=0,
        last_discovery_at=None,
        newest_compressed_bytes=None,
        deduplicated_bytes=None,
    )

    page = overview_tree([registry], [])

    (refresh,) = [m for m in page.all("meta") if "http-equiv" in m.attributes]
    assert refresh.attributes["content"] == "2"
    assert page.all("table") == []
    assert figures(page)["Repositories"] == "not yet the listing goes on"
    assert figures(page)["Newest images, compressed"].startswith("not yet")
    assert figures(page)["Stored in the registry"].startswith("not yet")
    assert "Rows appear here as they are read" in page.text


def test_one_new_repository_in_a_known_registry_is_no_first_crawl() -> None:
    registry = replace(a_registry_report(), repositories=51, repositories_pending=1)

    page = overview_tree([registry], [an_unread_repository()])

    assert page.one("h1").text == "hub"
    assert [m for m in page.all("meta") if "http-equiv" in m.attributes] == []


def test_a_crawl_of_one_named_repository_is_not_waiting_for_a_listing() -> None:
    registry = replace(
        a_registry_report(), state="new", repositories=1, last_discovery_at=None
    )

    page = overview_tree([registry], [a_repository_report()])

    assert page.one("h1").text == "hub"


def test_a_search_without_hits_says_so() -> None:
    query = RepositoryQuery(q="<b>nothing</b>")

    page = overview_tree([a_registry_report()], [], query)

    assert "No repository has <b>nothing</b> in its name" in page.one("main").text


def test_unknown_is_never_zero() -> None:
    report = replace(
        a_repository_report(),
        newest_uncompressed_bytes=None,
        newest_uncompressed_confidence="unknown",
    )

    page = overview_tree([a_registry_report()], [report])

    cell = page.one("table").one("tbody").all("td")[2]
    assert cell.text == "unknown"
    assert cell.one("span").attributes["title"]


def test_no_overview_has_a_style_attribute_or_an_inline_script() -> None:
    html = overview_html([a_registry_report()], [a_repository_report()])

    assert " style=" not in html
    assert html.count("<script") == 1


def test_what_is_stored_stands_beside_what_a_naive_sum_says() -> None:
    page = overview_tree([a_registry_report()], [])

    stored = figures(page)["Stored in the registry"]
    assert stored == (
        "32.9 GB 91.2 GB as the sum over tags; deduplication factor 2.77 "
        "(sum over tags / bytes stored)"
    )
    legend = page.one("figcaption").text
    assert "shared by repositories 9.41 GB" in legend
    assert "in one repository only 23.5 GB" in legend
    assert "never stored thanks to sharing 58.3 GB" in legend


def test_the_parts_of_the_storage_bar_fill_it() -> None:
    page = overview_tree([a_registry_report()], [])

    bar = page.one("figure").one("svg", "h20")
    outer = [r for r in bar.all("rect") if "o-in" not in r.classes]
    widths = [float(r.attributes["width"].rstrip("%")) for r in outer]
    assert abs(sum(widths) - 100) < 0.03
    assert bar.attributes["aria-label"].startswith("Of 32.9 GB stored, 9.41 GB are")


def test_several_registries_are_compared_on_one_scale() -> None:
    small = replace(
        a_registry_report("small"),
        deduplicated_bytes=16_435_602_059,
        shared_bytes=0,
        repository_states={"ok": 3, "unauthorized": 1},
    )
    unread = replace(a_registry_report("unread"), deduplicated_bytes=None)

    page = overview_tree([a_registry_report(), small, unread], [])

    rows = page.all("table")[0].one("tbody").all("tr")
    bars = [row.one("td", "cell").all("rect") for row in rows]
    assert [r.attributes["width"] for bar in bars for r in bar] == ["100.00%", "50.00%"]
    assert "1 not read to the end" in rows[1].text
    assert "not yet" in rows[2].text


def test_removals_that_are_held_are_said() -> None:
    registry = replace(a_registry_report(), removals_held=33, repositories_held=31)

    page = overview_tree([registry], [])

    of_all, of_tags = page.all("div", "banner")
    assert "did not list 31 repositories any more" in of_all.text
    assert "2 repositories did not list more than half of the tags" in of_tags.text
    assert "until a second complete crawl agrees" in of_tags.text


def test_a_row_whose_size_the_manifest_gives_otherwise_is_marked() -> None:
    disputed = replace(
        weighing("a/b", 3_000_000),
        newest_compressed_confidence="disputed",
        newest_claimed_bytes=1,
    )

    page = overview_tree([a_registry_report()], [disputed, weighing("c/d", 1_000)])

    (mark,) = page.all("span", "whose")
    assert "the manifest 1 byte" in mark.attributes["title"]
