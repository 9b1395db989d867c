"""The tables of requests in docs/registries.md: what is counted now, and how a
difference or a missed limit is seen."""

from collections import Counter

import pytest

from load.requests import page
from load.requests.__main__ import PAGE
from load.requests.counted import Counted, Spent, count
from load.requests.ways import WAYS


def test_the_page_says_what_is_counted_now_and_no_limit_is_missed() -> None:
    """Two minutes."""
    counted = [count(way) for way in WAYS]

    text = page.as_text(counted)
    assert page.differences(page.stored(PAGE.read_text("utf-8")), text) == []
    assert [one.way.name for one in counted if one.is_missed] == []


def looked_at(pages: int, *, refused: int = 0, tokens: int = 0) -> Counted:
    """One of Harbor, with so many pages of tags beside two of discovery."""
    (harbor,) = [way for way in WAYS if way.name == "Harbor"]
    finds = Spent(Counter(bulk=2), 0, 0, 100)
    asked = Counter(bulk=2 + pages, token=tokens)
    unchanged = Spent(asked, refused, 0, 2_000)
    return Counted(harbor, finds, unchanged, unchanged, unchanged)


@pytest.mark.parametrize(
    ("counted", "listing"),
    [
        (looked_at(10), 10),
        (looked_at(11), 11),
        (looked_at(10, tokens=4), 10),
        (looked_at(10, refused=2), 10),
        (looked_at(10, refused=30), 38),
    ],
)
def test_a_limit_is_of_what_grows_with_the_tags(counted: Counted, listing: int) -> None:
    assert counted.listing == listing
    assert counted.is_missed is (listing > 10)
    assert ("MISSED" in page.as_text([counted])) is (listing > 10)


def test_a_figure_that_differs_is_shown_and_one_that_is_about_may_differ() -> None:
    written = page.as_text([looked_at(10)])

    assert page.differences(written, page.as_text([looked_at(9)])) != []
    assert page.differences(written, written.replace("2.00 kB", "1.90 kB")) == []
    assert page.differences(written, written.replace("2.00 kB", "1.20 kB")) != []
    assert page.differences(written, written.replace("2.00 kB", "2.00 MB")) != []
    assert page.differences(written, written.rpartition("\n")[0]) != []


def test_only_what_is_between_the_marks_is_written() -> None:
    before = f"# A\n\n{page.BEGIN}\n\nold\n\n{page.END}\n\nold\n"

    after = page.replaced(before, "new")

    assert after == f"# A\n\n{page.BEGIN}\n\nnew\n\n{page.END}\n\nold\n"
    assert page.stored(after) == "new"
    with pytest.raises(ValueError, match="must stand around the tables"):
        page.replaced("# A\n", "new")
