"""How old what is known is, and when that is too old."""

from dataclasses import replace
from datetime import timedelta

import pytest

from support.read_model import HOUR, NOW, a_registry_report, a_repository_report
from weighbridge.domain.report.inventory import RegistryState, RepositoryState

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("age", "is_stale"),
    [(0 * HOUR, False), (2 * HOUR, False), (2 * HOUR + SECOND, True)],
)
def test_what_was_not_looked_at_for_two_intervals_is_stale(
    age: timedelta, is_stale: bool
) -> None:
    repository = replace(a_repository_report(), last_complete_crawl_at=NOW - age)
    registry = replace(a_registry_report(), last_success_at=NOW - age)

    for report in (repository, registry):
        assert report.age_seconds(NOW) == age.total_seconds()
        assert report.is_stale(NOW) is is_stale


@pytest.mark.parametrize(
    ("state", "is_stale"),
    [
        ("new", False),
        ("ok", False),
        ("partial", False),
        ("missing", True),
        ("unauthorized", True),
        ("unreachable", True),
        ("error", True),
        ("deleted", True),
    ],
)
def test_what_could_not_be_looked_at_is_stale_at_once(
    state: RepositoryState, is_stale: bool
) -> None:
    assert replace(a_repository_report(), state=state).is_stale(NOW) is is_stale


@pytest.mark.parametrize("state", ["unauthorized", "unreachable", "error"])
def test_a_registry_that_fails_is_stale_at_once(state: RegistryState) -> None:
    assert replace(a_registry_report(), state=state).is_stale(NOW)


def test_what_was_never_seen_whole_has_no_age() -> None:
    report = replace(a_repository_report(), state="new", last_complete_crawl_at=None)

    assert report.age_seconds(NOW) is None
    assert not report.is_stale(NOW)


def test_a_clock_that_was_set_back_gives_no_negative_age() -> None:
    assert a_repository_report().age_seconds(NOW - 5 * HOUR) == 0
