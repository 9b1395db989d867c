"""The chart of a repository's newest image over time, and its table."""

from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.html import Element
from support.images import a_digest
from support.pages import repository_tree
from support.policies import a_policy
from support.read_model import NOW, a_repository_report
from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.domain.policy.policy import NO_POLICIES, PolicySet
from weighbridge.domain.report.history import HistoryReport, HistoryStep
from weighbridge.web.views.over_time import OverTime, over_time

MB: Final = 1_000_000
DAY: Final = timedelta(days=1)
REPORT: Final = a_repository_report()
LIMITED: Final = PolicySet([a_policy("all", max_compressed=500 * MB, max_growth=0.25)])


def a_step(
    days_ago: float,
    size: int | None,
    *,
    until: float | None = None,
    grown: int | None = None,
    tags: tuple[str, ...] = ("1.0",),
    baseline: int | None = None,
    instruction: str = "COPY . /app",
) -> HistoryStep:
    """A step that began so many days ago."""
    at = NOW - DAY * days_ago
    cause = None
    if grown:
        change = LineChange("grown", instruction, 1, 1 + grown, grown)
        cause = Cause("own", None, (change,), grown)
    return HistoryStep(
        at=at,
        seen_at=at,
        pushed_at=None,
        until=None if until is None else NOW - DAY * until,
        by="moved",
        tags=tags,
        tag_count=len(tags),
        digest=a_digest((days_ago, size)),
        kind="image",
        platform="linux/amd64",
        image=None if size is None else a_digest((days_ago, size)),
        compressed_bytes=size,
        compressed_confidence=None if size is None else "known",
        claimed_bytes=size,
        uncompressed_bytes=None,
        uncompressed_confidence=None,
        layers=None if size is None else 3,
        before_digest=None if grown is None else a_digest("before"),
        grown_bytes=grown,
        baseline_compressed_bytes=baseline,
        base=None,
        lines=None,
        cause=cause,
        reason=None if size is not None else "not_read",
    )


def history(*latest_first: HistoryStep, cursor: str | None = None) -> HistoryReport:
    return HistoryReport("hub", "shop/api", None, latest_first, cursor, None)


def drawn(
    found: HistoryReport,
    policies: PolicySet = NO_POLICIES,
    since: str | None = None,
    now: datetime = NOW,
    *,
    is_log: bool = False,
) -> OverTime:
    decided = policies.explain("hub", "shop/api", "1.0")
    chart = over_time(REPORT, found, decided, since, now, is_log=is_log)
    assert chart is not None
    return chart


GROWN: Final = history(
    a_step(10, 1080 * MB, grown=612 * MB, tags=("1.5", "latest"), baseline=450 * MB),
    a_step(200, 468 * MB, until=10, grown=-2 * MB),
    a_step(300, 470 * MB, until=200),
)


def panel(chart: OverTime) -> Element:
    page = repository_tree(REPORT, [], history=chart)
    return next(s for s in page.all("section") if "over time" in s.text)


def test_steps_are_level_and_upright_and_never_slopes() -> None:
    chart = drawn(GROWN)

    assert len(chart.strokes) == 5
    for stroke in chart.strokes:
        assert stroke.x1 == stroke.x2 or stroke.y1 == stroke.y2
    assert chart.strokes[-1].x2 == 99.0


def test_bytes_are_drawn_from_zero_on_a_round_scale() -> None:
    chart = drawn(GROWN)

    assert [level.compressed_bytes for level in chart.grid] == [
        n * 250 * MB for n in range(6)
    ]
    assert (chart.grid[0].y, chart.grid[-1].y) == (304.0, 14.0)
    heights = [304 - dot.y for dot in chart.dots]
    assert heights[2] / heights[0] == pytest.approx(1080 / 470, abs=0.01)


def test_on_the_other_scale_ten_times_the_bytes_are_always_as_high() -> None:
    found = history(
        a_step(10, 5000 * MB),
        a_step(200, 500 * MB, until=10),
        a_step(300, 50 * MB, until=200),
    )

    chart = drawn(found, is_log=True)

    low, middle, high = (dot.y for dot in chart.dots)
    assert low - middle == pytest.approx(middle - high, abs=0.2)
    assert low - middle > 70
    levels = [level.compressed_bytes for level in chart.grid]
    assert levels == [10 * MB, 100 * MB, 1000 * MB, 10_000 * MB]


def test_a_switch_says_which_scale_it_is_and_leads_to_the_other() -> None:
    def switch(chart: OverTime) -> dict[str, tuple[str, bool]]:
        group = next(
            d
            for d in panel(chart).all("div", "seg")
            if d.attributes["aria-label"] == "Scale"
        )
        return {
            a.text: (a.attributes["href"], "aria-current" in a.attributes)
            for a in group.all("a")
        }

    here = "/repository?ref=hub%2Fshop%2Fapi"
    assert switch(drawn(GROWN)) == {
        "linear": (here, True),
        "log": (f"{here}&scale=log", False),
    }
    assert switch(drawn(GROWN, is_log=True))["log"][1]


def test_the_limit_is_drawn_and_what_is_over_it_is_marked() -> None:
    chart = drawn(GROWN, LIMITED)

    assert chart.limit is not None
    assert chart.limit.compressed_bytes == 500 * MB
    assert [dot.is_over for dot in chart.dots] == [False, False, True]
    text = panel(chart).text
    assert "limit 500 MB" in text
    assert "1.5, latest ! 1.08 GB" in text


def test_the_limits_name_makes_room_for_the_name_of_an_image() -> None:
    late = a_step(10, 505 * MB, grown=35 * MB, tags=("1.5",))
    others = a_step(200, 200 * MB, until=10), a_step(300, 200 * MB, until=200)

    def place(found: HistoryReport) -> tuple[bool, bool]:
        """Whether it is at the left, and below the line."""
        chart = drawn(found, LIMITED)
        assert chart.limit_name is not None
        assert chart.limit is not None
        return chart.limit_name.is_left, chart.limit_name.y > chart.limit.y

    assert place(history(late, *others)) == (True, True)
    assert place(GROWN) == (False, False)
    assert place(history(a_step(300, 505 * MB, tags=("1.5",)))) == (False, True)
    low = a_step(10, 465 * MB, grown=35 * MB, tags=("1.5",))
    assert place(history(low, *others)) == (True, False)
    assert drawn(history(late, *others)).limit_name is None


def test_a_limit_far_above_all_images_flattens_no_chart() -> None:
    high = PolicySet([a_policy("all", max_compressed=90_000 * MB)])

    chart = drawn(GROWN, high)

    assert chart.limit is None
    assert chart.note == "The limit of 90.0 GB is far above."
    assert chart.grid[-1].compressed_bytes == 1250 * MB


def test_what_growth_is_allowed_stands_above_the_baseline() -> None:
    chart = drawn(GROWN, LIMITED)

    (band,), (baseline,) = chart.bands, chart.baselines
    assert band.y + band.height == pytest.approx(baseline.y1)
    assert band.height == pytest.approx(0.25 * 450 / 1250 * 290, abs=0.1)
    assert "growth allowed, 25 % over it" in panel(chart).text


def test_without_policies_nothing_is_said_of_limits() -> None:
    text = panel(drawn(GROWN)).text

    assert "limit" not in text
    assert "growth allowed" not in text
    assert "median of the ten images before" in text


def test_the_part_of_the_base_is_an_area_below() -> None:
    base = ImageBase("python:3.7", (), 9, 348 * MB, 0.74, "base", "layers")
    steps = [replace(step, base=base) for step in GROWN.items[1:]]

    chart = drawn(history(GROWN.items[0], *steps))

    assert len(chart.bases) == 2
    assert chart.bases[0].y + chart.bases[0].height == pytest.approx(304.0)
    assert "base, now python:3.7" in panel(chart).text


def test_the_table_has_the_same_numbers_and_the_line_that_made_each() -> None:
    rows = panel(drawn(GROWN)).one("table").one("tbody").all("tr")

    assert [row.amounts()[:2] for row in rows] == [
        [1080 * MB, 612 * MB],
        [468 * MB, 2 * MB],
        [470 * MB],
    ]
    assert "▲ +612 MB" in rows[0].text
    assert "COPY . /app" in rows[0].text
    assert rows[0].all("span", "up")
    assert rows[1].all("span", "flat")


def test_every_dot_leads_to_its_image_and_says_all_of_it() -> None:
    links = panel(drawn(GROWN)).one("svg", "h330").all("a")

    digest = a_digest((10, 1080 * MB))
    assert links[-1].attributes["href"] == f"/image?ref=hub/shop/api@{digest}"
    assert links[-1].attributes["aria-label"] == (
        f"1.5, latest · {NOW - 10 * DAY:%Y-%m-%d %H:%M} UTC · 1.08 GB compressed"
        " (+612 MB by COPY . /app)"
    )


def test_an_image_that_was_pruned_has_a_dot_and_no_page() -> None:
    pruned = replace(a_step(50, 300 * MB, until=10), reason="pruned")
    chart = drawn(history(a_step(10, 310 * MB, grown=10 * MB), pruned))

    svg = panel(chart).one("svg", "h330")

    assert len(svg.all("a")) == 1
    assert "300 MB compressed" in svg.one("g").attributes["aria-label"]


def test_what_a_stranger_wrote_is_text() -> None:
    evil = "RUN echo '<script>alert(1)</script>' \"onload=x"
    step = a_step(10, 500 * MB, grown=5 * MB, instruction=evil, tags=("<b>",))

    found = panel(drawn(history(step, a_step(20, 495 * MB, until=10))))

    assert not found.all("script")
    assert not found.all("b")
    assert evil in found.one("table").text


def test_a_step_of_unknown_size_is_a_stub_and_no_zero() -> None:
    chart = drawn(history(a_step(10, None), a_step(50, 300 * MB, until=10)))

    assert len(chart.unknown) == 1
    assert len(chart.dots) == 1
    (row, _) = panel(chart).one("table").one("tbody").all("tr")
    assert "unknown" in row.text
    assert "its image could not be read" in row.text


def test_a_period_shows_what_held_at_its_beginning() -> None:
    chart = drawn(GROWN, since="30d")

    assert [row.step.compressed_bytes for row in chart.rows] == [1080 * MB, 468 * MB]
    assert chart.strokes[0].x1 == 5.0
    assert [p.value for p in chart.periods if p.is_current] == ["30d"]
    current = panel(chart).all("a")[0]
    assert current.attributes["href"] == "/repository?ref=hub%2Fshop%2Fapi&since=30d"
    assert current.attributes["aria-current"] == "true"


def test_a_longer_history_says_that_there_are_earlier_steps() -> None:
    chart = drawn(history(*GROWN.items, cursor="history:1:1"))

    assert chart.note == "The latest 3 steps, there are earlier ones."


def test_there_is_no_chart_of_nothing() -> None:
    decided = NO_POLICIES.explain("hub", "shop/api", "")

    assert over_time(REPORT, history(), decided, None, NOW) is None
    assert over_time(REPORT, history(a_step(3, None)), decided, None, NOW) is None


AGES: Final = st.lists(
    st.tuples(st.floats(0, 4000), st.integers(0, 2**44)), min_size=1, max_size=12
)


@given(
    ages=AGES, since=st.sampled_from([None, "30d", "90d", "52w"]), is_log=st.booleans()
)
def test_everything_stays_on_the_chart(
    ages: list[tuple[float, int]], since: str | None, is_log: bool
) -> None:
    ordered = sorted(dict(ages).items())
    steps = [
        a_step(age, size, until=ordered[n - 1][0] if n else None, baseline=size)
        for n, (age, size) in enumerate(ordered)
    ]
    decided = LIMITED.explain("hub", "shop/api", "1.0")

    chart = over_time(REPORT, history(*steps), decided, since, NOW, is_log=is_log)

    if chart is None:
        return
    areas = [*chart.bands, *chart.unknown]
    assert len(chart.grid) <= (15 if is_log else 6)
    assert (chart.grid[0].y, chart.grid[-1].y) == (304, 14)
    assert is_log or chart.grid[0].compressed_bytes == 0
    assert len(chart.ticks) <= 8
    assert all(0 <= t.x <= 100 for t in chart.ticks)
    assert all(5 <= d.x <= 99 and 14 <= d.y <= 304 for d in chart.dots)
    assert all(5 <= s.x1 <= s.x2 <= 99 for s in chart.strokes)
    assert all(a.width >= 0 and a.height >= 0 and a.y >= 14 for a in areas)
    assert [t.x for t in chart.ticks] == sorted({t.x for t in chart.ticks})
