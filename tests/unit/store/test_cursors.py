"""Cursors: whatever comes back is a place in our list, or refused."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import UsageError
from weighbridge.store.models.types import LARGEST
from weighbridge.store.paging import LIMIT, check_limit, read_cursor, write_cursor
from weighbridge.store.reports import (
    SORTS,
    RepositoryQuery,
    crawl_page,
    repository_page,
    tag_page,
)
from weighbridge.store.session import Database

KEY_TYPES = ((str, int, float, type(None)), (int,))
KEYS = st.tuples(
    st.one_of(
        st.none(),
        st.integers(-LARGEST, LARGEST),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    ),
    st.integers(0, LARGEST),
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@contextmanager
def suppress_refusal() -> Iterator[None]:
    """Let our own refusal pass, and no other exception or code."""
    try:
        yield
    except UsageError as error:
        if error.code != "invalid_cursor":
            raise


def a_cursor_of(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@given(key=KEYS)
def test_a_cursor_says_what_was_written(
    key: tuple[str | int | float | None, int],
) -> None:
    cursor = write_cursor("order", key)

    assert read_cursor(cursor, "order", KEY_TYPES) == key


@given(
    text=st.one_of(
        st.text(), st.binary().map(base64.urlsafe_b64encode).map(bytes.decode)
    )
)
def test_any_text_is_a_key_or_refused(text: str) -> None:
    with suppress_refusal():
        assert len(read_cursor(text, "order", KEY_TYPES)) == 2


@given(content=ANYTHING, order=st.sampled_from(["repositories:compressed:desc", "x"]))
def test_any_json_gives_a_page_or_is_refused(
    module_database: Database, content: object, order: str
) -> None:
    cursor = a_cursor_of([order, content, 1])
    query = RepositoryQuery(cursor=cursor)
    with module_database.read() as connection, suppress_refusal():
        assert repository_page(connection, query).items == ()


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        None,
        "repositories:compressed:desc",
        ["repositories:compressed:desc"],
        ["repositories:compressed:desc", 1],
        ["repositories:compressed:desc", 1, 2, 3],
        ["repositories:compressed:desc", 1, "2"],
        ["repositories:compressed:desc", 1, True],
        ["repositories:compressed:desc", 1, None],
        ["repositories:compressed:desc", [1], 2],
        ["repositories:compressed:desc", 2**63, 2],
        ["repositories:compressed:desc", 1, -(2**64)],
        ["repositories:compressed:desc", float("nan"), 2],
        ["repositories:compressed:desc", float("inf"), 2],
        ["repositories:compressed:desc", "\ud800", 2],
        ["repositories:compressed:desc", "nul\0", 2],
        ["repositories:compressed:asc", 1, 2],
        ["tags", "a", "a"],
    ],
)
def test_a_forged_cursor_is_refused(module_database: Database, content: object) -> None:
    query = RepositoryQuery(cursor=a_cursor_of(content))

    with module_database.read() as connection, pytest.raises(UsageError) as caught:
        repository_page(connection, query)

    assert caught.value.code == "invalid_cursor"


def test_a_cursor_of_deep_json_is_refused() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 3000).decode()

    with pytest.raises(UsageError):
        read_cursor(deep, "order", KEY_TYPES)


def test_a_very_long_cursor_is_refused_unread() -> None:
    with pytest.raises(UsageError):
        read_cursor("A" * 100_000, "order", KEY_TYPES)


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
            lambda: crawl_page(connection, limit=limit),
        ):
            with pytest.raises(UsageError) as caught:
                ask()
            assert caught.value.code == "invalid_limit"
            assert "1000" in caught.value.hint


def test_the_limits_themselves_are_allowed() -> None:
    assert (check_limit(1), check_limit(LIMIT)) == (1, LIMIT)


@pytest.mark.parametrize("sort", ["size;DROP TABLE tags", "", "state", "(select 1)"])
def test_api_001_only_listed_columns_can_be_sorted_by(
    module_database: Database, sort: str
) -> None:
    query = RepositoryQuery(sort=sort)

    with module_database.read() as connection, pytest.raises(UsageError) as caught:
        repository_page(connection, query)

    assert caught.value.code == "invalid_sort"
    assert all(name in caught.value.hint for name in SORTS)


def test_api_001_only_two_orders_exist(module_database: Database) -> None:
    query = RepositoryQuery(order="asc,(select 1)")

    with module_database.read() as connection, pytest.raises(UsageError) as caught:
        repository_page(connection, query)

    assert caught.value.code == "invalid_sort"
