"""What each kind of registry tells of pulls, as its API writes it; nothing else is
taken for a number or a time."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.traffic.pulls import MOST_PULLS, PullCount
from weighbridge.errors import DocumentError
from weighbridge.registry.kinds.dockerhub.hub_api import (
    parse_hub_pulls,
    parse_hub_repositories,
    parse_hub_tags,
)
from weighbridge.registry.kinds.harbor.harbor_api import (
    parse_artifacts,
    parse_harbor_repositories,
    read_pull_count,
)
from weighbridge.registry.kinds.quay.quay_api import (
    parse_quay_pulls,
    parse_quay_repositories,
)

WEEK_S = 7 * 24 * 3600
NEVER = "0001-01-01T00:00:00.000Z"
EARLY, LATE = "2026-02-03T04:05:06.000Z", "2026-02-09T04:05:06.000Z"
LATE_AT = datetime(2026, 2, 9, 4, 5, 6, tzinfo=UTC)
WRONG = [-1, "7", None, True, 1.5, MOST_PULLS + 1, [], {}]


def told_by_hub(number: object) -> PullCount | None:
    entry = {"name": "cart", "namespace": "shop", "pull_count": number}
    page = {"count": 1, "next": None, "results": [entry]}
    listed = parse_hub_repositories(json.dumps(page).encode(), "shop")
    alone = parse_hub_pulls(json.dumps(entry).encode())
    assert listed.pulls.get("shop/cart") == alone
    assert listed.names == ("shop/cart",)
    return alone


def told_by_harbor(number: object) -> PullCount | None:
    entry = {"name": "shop/team/cart", "artifact_count": 2, "pull_count": number}
    listed = parse_harbor_repositories(json.dumps([entry]).encode(), "shop")
    alone = read_pull_count(json.dumps(entry).encode())
    assert listed.pulls.get("shop/team/cart") == alone
    assert listed.names == ("shop/team/cart",)
    return alone


def told_by_quay(number: object) -> PullCount | None:
    entry = {"namespace": "shop", "name": "cart", "popularity": number}
    page = parse_quay_repositories(json.dumps({"repositories": [entry]}).encode())
    assert page.names == ("shop/cart",)
    return page.pulls.get("shop/cart")


def days(*counts: object) -> bytes:
    """From yesterday on backwards."""
    first = datetime(2026, 3, 10, tzinfo=UTC).date()
    stats = [
        {"date": (first - timedelta(days=ago)).isoformat(), "count": count}
        for ago, count in enumerate(counts)
    ]
    return json.dumps({"name": "cart", "stats": stats[::-1]}).encode()


@pytest.mark.parametrize("told", [told_by_hub, told_by_harbor])
def test_manifests_are_counted_since_the_repository_was_made(
    told: Callable[[object], PullCount | None],
) -> None:
    assert told(15_722_123) == PullCount(15_722_123, "manifests", None)
    assert told(0) == PullCount(0)


def test_popularity_is_what_was_done_in_a_week() -> None:
    assert told_by_quay(12.0) == PullCount(12, "actions", WEEK_S)
    assert told_by_quay(0) == PullCount(0, "actions", WEEK_S)


@pytest.mark.parametrize("number", WRONG)
@pytest.mark.parametrize("told", [told_by_hub, told_by_harbor, told_by_quay])
def test_what_is_no_number_of_pulls_is_not_told(
    told: Callable[[object], PullCount | None], number: object
) -> None:
    assert told(number) is None


def test_quays_page_of_a_repository_has_the_days_of_its_week() -> None:
    assert parse_quay_pulls(days(1, 2, 3, 4, 5, 6, 7, 100, 100)) == PullCount(
        28, "actions", WEEK_S
    )


@pytest.mark.parametrize(
    "page",
    [
        *(b"{}", b'{"stats": 7}', b'{"stats": []}', days(1, 2, 3, 4, 5, 6)),
        *(days(1, 2, 3, "4", 5, 6, 7), days(1, 2, -3, 4, 5, 6, 7)),
        b'{"stats": [{"date": "yesterday", "count": 3}]}',
        b'{"stats": [7, 7, 7, 7, 7, 7, 7]}',
    ],
)
def test_a_week_that_is_not_whole_tells_nothing(page: bytes) -> None:
    assert parse_quay_pulls(page) is None


def hub_tag(**changed: object) -> datetime | None:
    entry = {"name": "v1", "images": [], "tag_last_pulled": None} | changed
    page = {"count": 1, "next": None, "results": [entry]}
    (tag,) = parse_hub_tags(json.dumps(page).encode()).tags
    return tag.pulled_at


def test_docker_hub_tells_when_a_tag_or_an_image_of_it_was_pulled() -> None:
    images = [{"last_pulled": EARLY}, {"last_pulled": None}, {"last_pulled": LATE}]

    assert hub_tag(tag_last_pulled=LATE) == LATE_AT
    assert hub_tag(tag_last_pulled=EARLY, images=images) == LATE_AT
    assert hub_tag(images=images) == LATE_AT
    assert hub_tag() is None
    assert hub_tag(tag_last_pulled="soon", images=[7, {"last_pulled": 3}]) is None


@pytest.mark.parametrize(
    ("artifact", "tag", "expected"),
    [
        (NEVER, NEVER, None),
        (LATE, NEVER, LATE_AT),  # by its digest
        (EARLY, LATE, LATE_AT),
        ("", LATE, LATE_AT),
        (None, 7, None),
    ],
)
def test_harbor_tells_when_an_artifact_was_pulled_by_tag_or_digest(
    artifact: object, tag: object, expected: datetime | None
) -> None:
    entry = {
        "digest": Digest("sha256:" + "1" * 64),
        "pull_time": artifact,
        "tags": [{"name": "v1", "pull_time": tag}],
    }
    page = parse_artifacts(json.dumps([entry]).encode(), "shop/cart")
    (seen,) = page.tags

    assert seen.pulled_at == expected


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["pull_count", "popularity", "stats", "date", "count"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(_VALUES)
def test_any_answer_tells_a_count_or_none(value: object) -> None:
    raw = json.dumps(value).encode()
    for parse in (parse_hub_pulls, read_pull_count, parse_quay_pulls):
        try:
            found = parse(raw)
        except DocumentError:
            continue
        assert found is None or 0 <= found.number <= 7 * MOST_PULLS
