"""Cursors: whatever comes back is a place in our list, or refused."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from support.store_world import T0
from weighbridge.domain.report.inventory import Page
from weighbridge.errors import UsageError
from weighbridge.store.models.types import LARGEST
from weighbridge.store.paging import (
    LIMIT,
    NUMBER,
    NUMBER_OR_NONE,
    RATIO_OR_NONE,
    TEXT,
    CursorForm,
    check_limit,
    cursor_pattern,
    one_of,
    read_cursor,
    write_cursor,
)
from weighbridge.store.reports.crawls import CRAWL_CURSOR, CrawlQuery, crawl_page
from weighbridge.store.reports.disputes import (
    DISPUTE_CURSOR,
    DisputeQuery,
    dispute_page,
)
from weighbridge.store.reports.repositories import (
    REPOSITORY_CURSORS,
    SORTS,
    RepositoryQuery,
    repository_page,
)
from weighbridge.store.reports.tags import TAG_CURSOR, tag_page
from weighbridge.store.reports.violations import (
    VIOLATION_CURSORS,
    ViolationQuery,
    violation_page,
)
from weighbridge.store.session import Database
from weighbridge.store.violations.waivers import WAIVER_CURSOR, waiver_page

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200)
FORM = CursorForm(one_of("a-list"), TEXT, NUMBER_OR_NONE, RATIO_OR_NONE, NUMBER)
KEYS = st.tuples(
    TEXTS,
    st.none() | st.integers(-LARGEST, LARGEST),
    st.none() | st.floats(-1e17, 1e17),
    st.integers(0, LARGEST),
)
LISTS: Mapping[str, Callable[[Connection, str], Page[Any]]] = {
    cursor_pattern(*REPOSITORY_CURSORS): lambda connection, cursor: repository_page(
        connection, RepositoryQuery(cursor=cursor)
    ),
    cursor_pattern(TAG_CURSOR): lambda connection, cursor: tag_page(
        connection, "hub", "acme/app", cursor=cursor
    ),
    cursor_pattern(CRAWL_CURSOR): lambda connection, cursor: crawl_page(
        connection, CrawlQuery(cursor=cursor)
    ),
    cursor_pattern(DISPUTE_CURSOR): lambda connection, cursor: dispute_page(
        connection, DisputeQuery(cursor=cursor)
    ),
    cursor_pattern(WAIVER_CURSOR): lambda connection, cursor: waiver_page(
        connection, T0, is_all=True, cursor=cursor
    ),
    cursor_pattern(*VIOLATION_CURSORS): lambda connection, cursor: violation_page(
        connection, ViolationQuery(cursor=cursor, all_tags=True), T0
    ),
}


@contextmanager
def suppress_refusal() -> Iterator[None]:
    """Let our own refusal pass, and no other exception or code."""
    try:
        yield
    except UsageError as error:
        if error.code != "invalid_cursor":
            raise


@given(key=KEYS)
def test_a_cursor_says_what_was_written(
    key: tuple[str, int | None, float | None, int],
) -> None:
    cursor = write_cursor("a-list", *key)

    assert read_cursor(cursor, FORM) == ("a-list", *key)
    assert re.fullmatch(cursor_pattern(FORM), cursor)


@given(text=st.text() | st.from_regex("a-list:[a-z0-9:.%-]*"))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    with suppress_refusal():
        assert len(read_cursor(text, FORM)) == 5


@given(text=st.from_regex(cursor_pattern(FORM), fullmatch=True))
def test_what_has_the_form_is_a_key_that_a_database_takes(text: str) -> None:
    _, name, size, ratio, number = read_cursor(text, FORM)

    assert isinstance(name, str)
    assert "\0" not in name
    assert isinstance(name.encode(), bytes)
    assert all(abs(n) <= LARGEST for n in (size or 0, number) if isinstance(n, int))
    assert ratio is None or (isinstance(ratio, float) and math.isfinite(ratio))


@pytest.mark.parametrize("pattern", LISTS)
@given(data=st.data())
def test_what_has_the_form_of_a_list_is_a_place_in_it(
    module_database: Database, pattern: str, data: st.DataObject
) -> None:
    cursor = data.draw(st.from_regex(pattern, fullmatch=True))

    with module_database.read() as connection:
        assert LISTS[pattern](connection, cursor).items == ()


@pytest.mark.long_on("postgresql")  # no statement of its own
@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "AAAA",
        "repositories",
        "repositories:compressed:desc",
        "repositories:compressed:desc:1",
        "repositories:compressed:desc:1:2:3",
        "repositories:compressed:desc:1:",
        "repositories:compressed:desc:x:2",
        "repositories:compressed:desc:1.5:2",
        "repositories:compressed:down:1:2",
        "repositories:size:desc:1:2",
        f"repositories:compressed:desc:{10**19}:2",
        "repositories:growth:desc:nan:2",
        "repositories:growth:desc:inf:2",
        "repositories:name:asc:a:b:2",
        "repositories:compressed:desc:1:2\n",
        "repositories:compressed:desc:\u0661:2",
        "tags:a:a",
        "crawls:1",
    ],
)
def test_a_forged_cursor_is_refused(module_database: Database, cursor: str) -> None:
    query = RepositoryQuery(cursor=cursor)

    with module_database.read() as connection, pytest.raises(UsageError) as caught:
        repository_page(connection, query)

    assert caught.value.code == "invalid_cursor"


def test_a_very_long_cursor_is_refused() -> None:
    for long in ("A" * 100_000, f"a-list:{'a' * 100_000}:1:1:1"):
        with pytest.raises(UsageError):
            read_cursor(long, FORM)


@pytest.mark.long_on("postgresql")  # no statement of its own
@pytest.mark.parametrize(
    "limit",
    [
        pytest.param(1_000_000_000, id="api-003"),
        pytest.param(-1, id="api-004"),
        pytest.param(0, id="zero"),
        pytest.param(LIMIT + 1, id="one too many"),
    ],
)
def test_a_limit_outside_its_range_is_refused(
    module_database: Database, limit: int
) -> None:
    with module_database.read() as connection:
        for ask in (
            lambda: repository_page(connection, RepositoryQuery(limit=limit)),
            lambda: tag_page(connection, "hub", "a/a", limit=limit),
            lambda: crawl_page(connection, CrawlQuery(limit=limit)),
        ):
            with pytest.raises(UsageError) as caught:
                ask()
            assert caught.value.code == "invalid_limit"
            assert "1000" in caught.value.hint


def test_the_limits_themselves_are_allowed() -> None:
    assert (check_limit(1), check_limit(LIMIT)) == (1, LIMIT)


@pytest.mark.long_on("postgresql")  # no statement of its own
@pytest.mark.parametrize("sort", ["size;DROP TABLE tags", "", "state", "(select 1)"])
def test_api_001_only_listed_columns_can_be_sorted_by(
    module_database: Database, sort: str
) -> None:
    query = RepositoryQuery(sort=sort)

    with module_database.read() as connection, pytest.raises(UsageError) as caught:
        repository_page(connection, query)

    assert caught.value.code == "invalid_sort"
    assert all(name in caught.value.hint for name in SORTS)


@pytest.mark.long_on("postgresql")  # no statement of its own
def test_api_001_only_two_orders_exist(module_database: Database) -> None:
    query = RepositoryQuery(order="asc,(select 1)")

    with module_database.read() as connection, pytest.raises(UsageError) as caught:
        repository_page(connection, query)

    assert caught.value.code == "invalid_sort"
