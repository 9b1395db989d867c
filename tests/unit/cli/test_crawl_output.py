"""What a crawl shows while it runs, when it ends and when it is stopped."""

import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

import weighbridge
from weighbridge.cli.actions.crawl_output import printed, warnings_of
from weighbridge.cli.actions.progress import (
    LINE_EVERY_S,
    progress_block,
    progress_line,
    shown,
    stopped_text,
    write_lines,
)
from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import (
    CrawlFault,
    CrawlReport,
    RegistryCrawl,
)
from weighbridge.ports.protocols import RequestCost
from weighbridge.presentation.forms.screen import Screen
from weighbridge.store.crawls.crawled_repositories import Troubled

PIPE = Screen()
SOURCE = Path(weighbridge.__file__).parent
NOW = datetime(2026, 9, 22, 9, 41, tzinfo=UTC)

HARBOR = RegistryCrawl(
    name="harbor",
    url="https://harbor.example",
    state="ok",
    reason="",
    repositories=51,
    complete=51,
    partial=0,
    failed=0,
    tags=2_061,
    images=1_604,
    requests=4_172,
    bytes_read=8_610_000,
    weighed_bytes=1_030_000_000_000,
)


def half_way() -> Progress:
    return Progress(
        registry="harbor",
        url="https://harbor.example",
        stage="crawling",
        repositories_done=18,
        repositories_known=51,
        tags=812,
        tags_known=2_061,
        images=640,
        weighed_bytes=402_000_000_000,
        now="shop/api",
        costs=[RequestCost(1_640, 3_380_000, 3)],
    )


def _codes_with_advice() -> list[str]:
    text = (SOURCE / "cli" / "process" / "failure.py").read_text(encoding="utf-8")
    return re.findall(r'^    "([a-z_]+)": "', text, re.MULTILINE)


def a_fault(tag: str | None, repository: str | None = "data/etl") -> CrawlFault:
    return CrawlFault("harbor", repository, tag, "rate_limited", "429 after 5 tries")


def test_a_crawl_ends_with_a_line_a_registry() -> None:
    assert printed(CrawlReport((HARBOR,), 206.0), "table", PIPE, NOW) == (
        "harbor   complete   51 repositories   2,061 tags   1,604 images   "
        "4,172 requests   8.61 MB read   1.03 TB weighed   206 s"
    )


def test_what_was_not_weighed_is_listed_by_its_cause() -> None:
    faults = (a_fault("tmp-7"), a_fault("tmp-8"), a_fault(None, None))
    text = printed(
        CrawlReport((replace(HARBOR, faults=faults),), 1.0), "table", PIPE, NOW
    )

    assert "   2 tags not weighed   " in text
    assert text.splitlines()[1] == (
        "  not weighed: data/etl:tmp-7, data/etl:tmp-8, harbor "
        "(rate_limited: 429 after 5 tries)"
    )


def test_faults_that_differ_in_their_tag_alone_have_one_cause() -> None:
    def answered(repository: str, tag: str) -> CrawlFault:
        url = f"https://harbor.example/v2/{repository}/manifests/{tag}"
        return CrawlFault(
            "harbor", repository, tag, "registry_error", f"HEAD {url} was answered 500"
        )

    faults = (answered("data/etl", "3"), answered("data/etl", "3.7"), a_fault("v1"))
    several = CrawlReport((replace(HARBOR, faults=faults),), 1.0)
    single = CrawlReport((replace(HARBOR, faults=faults[:1]),), 1.0)

    assert printed(several, "table", PIPE, NOW).splitlines()[1] == (
        "  not weighed: data/etl:3, data/etl:3.7 (registry_error: HEAD "
        "https://harbor.example/v2/<name>/manifests/<reference> was answered 500)"
    )
    assert "/v2/data/etl/manifests/3 was" in printed(single, "table", PIPE, NOW)


def test_what_may_help_is_what_the_failure_itself_says() -> None:
    fault = CrawlFault("harbor", None, None, "unauthorized", "no", "check the password")

    text = printed(
        CrawlReport((replace(HARBOR, faults=(fault,)),), 1.0), "table", PIPE, NOW
    )

    assert "  try    check the password" in text.splitlines()
    assert "give `auth`" not in text


DOWN = replace(
    HARBOR,
    state="unreachable",
    reason="connect_error",
    repositories=0,
    complete=0,
    tags=0,
    images=0,
    requests=3,
    weighed_bytes=0,
    faults=(CrawlFault("harbor", None, None, "connect_error", "nobody there"),),
)


def test_a_registry_that_is_down_does_not_look_emptied() -> None:
    assert printed(CrawlReport((DOWN,), 1.0), "table", PIPE, NOW).splitlines() == [
        "harbor   unreachable (connect_error)   "
        "nothing was crawled; what was known is kept   3 requests   1 s",
        "  not weighed: harbor (connect_error: nobody there)",
        "  try    check its address and port, and that it runs",
    ]
    assert "| unreachable (connect_error); nothing was crawled; " in printed(
        CrawlReport((DOWN,), 1.0), "markdown", PIPE, NOW
    )


def test_what_may_help_is_said_once_a_kind() -> None:
    faults = (
        a_fault("a"),
        replace(a_fault("b"), message="429 at once"),
        CrawlFault("harbor", "shop/cat", None, "name_unknown", "no such thing"),
        CrawlFault("harbor", "shop/api", "1", "manifest_unknown", "gone"),
    )

    text = printed(
        CrawlReport((replace(HARBOR, faults=faults),), 1.0), "table", PIPE, NOW
    )

    assert [line.split()[:2] for line in text.splitlines()[1:]] == [
        ["not", "weighed:"],
        ["not", "weighed:"],
        ["try", "again"],
        ["not", "weighed:"],
        ["try", "check"],
        ["not", "weighed:"],
    ]


def test_every_advice_is_about_a_code_that_exists() -> None:
    others = "".join(
        path.read_text(encoding="utf-8")
        for path in SOURCE.rglob("*.py")
        if path.name != "failure.py"
    )

    assert [code for code in _codes_with_advice() if f'"{code}"' not in others] == []


def test_a_pipe_lists_every_fault_and_a_terminal_a_screenful() -> None:
    faults = tuple(a_fault(f"t{number}") for number in range(50))
    report = CrawlReport((replace(HARBOR, faults=faults),), 1.0)

    assert "data/etl:t49" in printed(report, "table", PIPE, NOW)
    on_terminal = printed(report, "table", Screen(width=80), NOW)
    assert "data/etl:t20" not in on_terminal
    assert "and 30 more (-o json" in on_terminal


@pytest.mark.parametrize(
    ("crawled", "word"),
    [
        (replace(HARBOR, partial=2), "harbor   2 partial"),
        (replace(HARBOR, partial=1, failed=3), "harbor   1 partial, 3 failed"),
        (
            replace(HARBOR, state="unreachable", reason="tls"),
            "harbor   unreachable (tls)",
        ),
        (
            replace(HARBOR, state="unauthorized", reason="unauthorized"),
            "harbor   unauthorized ",
        ),
    ],
)
def test_a_registry_that_was_not_read_to_its_end_is_not_complete(
    crawled: RegistryCrawl, word: str
) -> None:
    text = printed(CrawlReport((crawled,), 1.0), "table", PIPE, NOW)

    assert text.startswith(word)
    assert "complete" not in text


def test_several_registries_have_a_sum() -> None:
    text = printed(
        CrawlReport((HARBOR, replace(HARBOR, name="hub")), 9.0), "table", PIPE, NOW
    )

    assert text.splitlines()[-1] == (
        "in all 2 registries   4,122 tags   8,344 requests   17.2 MB read   "
        "2.06 TB weighed   9 s"
    )


def test_json_ends_with_the_reports_object() -> None:
    found = json.loads(printed(CrawlReport((HARBOR,), 206.0), "json", PIPE, NOW))

    assert found["registries"][0]["name"] == "harbor"
    assert found["weighed_bytes"] == 1_030_000_000_000
    assert found["errors"] == []


def test_csv_and_markdown_have_a_row_a_registry() -> None:
    report = CrawlReport((replace(HARBOR, faults=(a_fault("t|1"),)),), 206.0)

    head, row = printed(report, "csv", PIPE, NOW).splitlines()
    assert head.startswith("name,url,state,reason,repositories,")
    assert row.startswith("harbor,https://harbor.example,ok,,51,51,0,0,2061,1604,")
    markdown = printed(report, "markdown", PIPE, NOW)
    assert (
        "| 51 | 2,061 | 1,604 | 8.61 MB | 1.03 TB | `harbor` | complete |" in markdown
    )
    assert "- `data/etl:t\\|1`: `rate_limited: 429 after 5 tries`" in markdown


def test_names_from_a_registry_are_made_printable() -> None:
    fault = a_fault("x\x1b[31m")
    crawled = replace(HARBOR, faults=(fault,), warnings=("odd\x07",))
    report = CrawlReport((crawled,), 1.0)

    assert "\x1b" not in printed(report, "table", PIPE, NOW) + printed(
        report, "markdown", PIPE, NOW
    )
    assert warnings_of(report) == ["harbor: odd\\x07"]


def test_a_log_gets_one_line_with_fields() -> None:
    assert progress_line(half_way(), NOW) == (
        "09:41:00 harbor repositories=18/51 tags=812/2061 requests=1640 throttled=3 "
        "read=3.38MB weighed=402GB"
    )


def test_what_is_not_known_yet_is_left_out_of_a_line() -> None:
    line = progress_line(Progress(registry="hub", tags=3), NOW)

    assert line.startswith("09:41:00 hub repositories=0 tags=3 requests=0 ")


def test_a_terminal_gets_a_block_with_the_time_that_is_left() -> None:
    assert progress_block(half_way(), 65.0, Screen(width=120)).splitlines() == [
        "harbor   https://harbor.example",
        "  repositories  █████▋            18/51     tags 812/2,061     images 640",
        "  requests 1,640 (3 answered 429)     3.38 MB read, 402 GB weighed"
        "     about 119 s left",
        "  now  shop/api",
    ]


def test_a_block_fits_its_terminal() -> None:
    block = progress_block(half_way(), 65.0, Screen(width=40))

    assert max(map(len, block.splitlines())) <= 40
    assert block.count("\n") == 3


def test_measuring_is_shown_as_layers() -> None:
    progress = replace(half_way(), stage="measuring", layers_done=7, layers_known=1_900)

    assert progress_block(progress, 1.0, Screen(width=120)).endswith(
        "  now  measuring layers 7/1,900"
    )
    assert " layers=7/1900 " in progress_line(progress, NOW)


def test_a_line_is_written_each_time_the_wait_was_in_vain() -> None:
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) > 2

    stream = io.StringIO()
    write_lines(half_way(), stream, wait)

    assert stream.getvalue().count(" harbor repositories=18/51 ") == 2
    assert waits == [LINE_EVERY_S] * 3


def test_nothing_is_written_about_a_crawl_that_ends_at_once() -> None:
    stream = io.StringIO()

    with shown(half_way(), PIPE, stream):
        pass

    assert stream.getvalue() == ""


def test_a_terminal_is_left_without_the_block() -> None:
    stream = io.StringIO()

    with shown(half_way(), Screen(width=100), stream):
        pass

    assert stream.getvalue().strip() == ""


def test_an_interrupted_crawl_says_what_is_kept_and_how_to_go_on() -> None:
    assert stopped_text(half_way(), "weighbridge crawl harbor") == (
        "Stopped. 18 of 51 repositories are complete and stored; shop/api is half "
        "read: all but its last answers are kept and not asked again.\n"
        "Go on with: weighbridge crawl harbor"
    )


@pytest.mark.parametrize(
    ("done", "words"),
    [(0, "0 repositories are"), (1, "1 repository is"), (2, "2 repositories are")],
)
def test_an_interrupted_listing_has_no_total(done: int, words: str) -> None:
    text = stopped_text(Progress(repositories_done=done), "weighbridge crawl")

    assert text.startswith(f"Stopped. {words} complete and stored.")


def troubled(
    name: str, state: RepositoryState, reason: str, hours: int | None
) -> Troubled:
    last = None if hours is None else NOW - timedelta(hours=hours)
    return Troubled(name, state, reason, last)


def test_repositories_that_were_not_seen_whole_have_a_row_each() -> None:
    crawled = replace(
        HARBOR,
        partial=1,
        failed=1,
        held=31,
        taken_over=12,
        troubled=(
            troubled("shop/api", "partial", "too_many_tags", None),
            troubled("data/etl", "unauthorized", "denied", 4),
            troubled("shop/web", "missing", "missing", 1),
        ),
    )

    first, *rest = printed(
        CrawlReport((crawled,), 1.0), "table", PIPE, NOW
    ).splitlines()

    assert "   12 crawled before   " in first
    assert rest == [
        "  held   31 repositories are missing at once and stay until a second crawl "
        "agrees (removals_held)",
        "  LAST FULL CRAWL  STATE         WHY            REPOSITORY",
        "  never            partial       too_many_tags  harbor/shop/api",
        "  4 h ago          unauthorized  denied         harbor/data/etl",
        "  1 h ago          missing                      harbor/shop/web",
    ]


def test_the_worst_twenty_are_shown_and_the_rest_counted() -> None:
    many = tuple(troubled(f"r{n}", "missing", "name_unknown", n) for n in range(25))
    report = CrawlReport((replace(HARBOR, troubled=many),), 1.0)

    text = printed(report, "table", PIPE, NOW)
    table = printed(report, "markdown", PIPE, NOW)

    assert len(text.splitlines()) == 1 + 1 + 20 + 1
    assert text.endswith("  and 5 more (-o json lists them)")
    assert "| 19 h ago | missing | `name_unknown` | `harbor/r19` |" in table
    assert "\n\n  and 5 more (-o json lists them)" in table
    assert "r20" not in text + table


def test_a_row_keeps_to_its_terminal() -> None:
    one = troubled("a" * 60 + "/b", "missing", "name_unknown", 3)
    report = CrawlReport((replace(HARBOR, troubled=(one,)),), 1.0)

    lines = printed(report, "table", Screen(width=80), NOW).splitlines()

    assert max(map(len, lines)) <= 80


def test_what_a_narrow_terminal_leaves_out_is_named() -> None:
    one = troubled("shop/api", "missing", "name_unknown", 3)
    report = CrawlReport((replace(HARBOR, troubled=(one,)),), 1.0)

    shown = printed(report, "table", Screen(width=30), NOW)

    assert shown.endswith(
        "  STATE    REPOSITORY\n  missing  harbor/shop/api\n"
        "  no room for last full crawl,\nwhy: -o json has all"
    )
