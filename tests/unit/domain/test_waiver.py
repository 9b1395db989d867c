"""Waivers: which ones hold where, and what may be asked for."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.policy.policy import LimitKey, Match, is_matched
from weighbridge.domain.policy.waiver import (
    LONGEST,
    ActiveWaivers,
    Waiver,
    checked_limit,
    checked_reason,
    parse_moment,
    parse_target,
    parse_until,
)
from weighbridge.errors import UsageError

NOW = datetime(2026, 9, 22, 9, 40, tzinfo=UTC)
DAY = timedelta(days=1)


def a_waiver(
    number: int = 1,
    repository: str = "acme/app",
    *,
    registry: str = "hub",
    tag: str = "*",
    limit_key: LimitKey | None = None,
    expires_at: datetime = NOW + DAY,
    revoked_at: datetime | None = None,
) -> Waiver:
    return Waiver(
        id=number,
        registry=registry,
        repository=repository,
        tag=tag,
        limit_key=limit_key,
        reason="later",
        author="cli:root",
        created_at=NOW - DAY,
        expires_at=expires_at,
        revoked_at=revoked_at,
    )


@pytest.mark.parametrize(
    ("waiver", "is_found"),
    [
        (a_waiver(), True),
        (a_waiver(repository="acme/*"), True),
        (a_waiver(repository="*", registry="*"), True),
        (a_waiver(limit_key="max_compressed"), True),
        (a_waiver(tag="1.*"), True),
        (a_waiver(limit_key="max_growth"), False),
        (a_waiver(tag="2.*"), False),
        (a_waiver(registry="harbor"), False),
        (a_waiver(repository="acme/ap"), False),
        (a_waiver(expires_at=NOW), False),
        (a_waiver(revoked_at=NOW), False),
    ],
)
def test_a_waiver_holds_where_all_of_it_fits(waiver: Waiver, is_found: bool) -> None:
    waivers = ActiveWaivers([waiver])

    found = waivers.find("hub", "acme/app", "1.4", "max_compressed", NOW)

    assert found == (waiver if is_found else None)


def test_of_several_the_one_that_holds_longest_is_named() -> None:
    long = a_waiver(2, "acme/*", expires_at=NOW + 9 * DAY)

    waivers = ActiveWaivers([a_waiver(1), long, a_waiver(3)])

    assert waivers.find("hub", "acme/app", "1", "max_layers", NOW) is long
    assert waivers.find("hub", "acme/app", "1", "max_layers", NOW + 10 * DAY) is None


def test_a_limit_of_the_repository_is_waived_for_all_tags_only() -> None:
    one_tag = ActiveWaivers([a_waiver(tag="1.*")])
    every_tag = ActiveWaivers([a_waiver()])

    assert one_tag.find("hub", "acme/app", "", "max_deduplicated", NOW) is None
    assert every_tag.find("hub", "acme/app", "", "max_deduplicated", NOW) is not None


def test_what_is_still_in_force_is_the_same_object_until_one_ends() -> None:
    waivers = ActiveWaivers([a_waiver(1), a_waiver(2, expires_at=NOW + 2 * DAY)])

    later = waivers.at(NOW + DAY)

    assert waivers.at(NOW) is waivers
    assert [waiver.id for waiver in later.waivers] == [2]


_NAMES = st.sampled_from(["a", "b", "a/b", "a/c", "*", "a/*", "*b"])


@given(
    st.lists(st.tuples(_NAMES, _NAMES, _NAMES), max_size=6),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["a", "a/b", "b"]),
    st.sampled_from(["", "a", "b"]),
)
def test_a_waiver_is_found_wherever_a_policy_with_its_patterns_would_match(
    patterns: list[tuple[str, str, str]], registry: str, repository: str, tag: str
) -> None:
    waivers = [
        a_waiver(number, pattern[1], registry=pattern[0], tag=pattern[2])
        for number, pattern in enumerate(patterns)
    ]

    found = ActiveWaivers(waivers).find(registry, repository, tag, "max_layers", NOW)

    matching = [w for w in waivers if is_matched(w.match, registry, repository, tag)]
    assert found is (matching[0] if matching else None)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("hub/acme/app", Match("hub", "acme/app", "*")),
        ("hub/acme/app:1.4", Match("hub", "acme/app", "1.4")),
        ("*/acme/*:*-dev", Match("*", "acme/*", "*-dev")),
        ("127.0.0.1:5000/a", Match("127.0.0.1:5000", "a", "*")),
        ("[::1]:5000/a/b:2", Match("[::1]:5000", "a/b", "2")),
    ],
)
def test_a_target_has_its_parts(text: str, match: Match) -> None:
    assert parse_target(text) == match


@pytest.mark.parametrize(
    "text",
    ["hub", "", "/", "hub/", "hub/ACME", "hub/a:", "hub/a b", "hub/a\x1b", "é/a"],
)
def test_what_names_no_repository_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text)

    assert caught.value.code == "invalid_waiver"


@given(st.text(max_size=40))
def test_any_text_is_a_target_or_refused(text: str) -> None:
    with suppress(UsageError):
        match = parse_target(text)
        assert "" not in (match.registry, match.repository, match.tag)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-09-22", datetime(2026, 9, 23, tzinfo=UTC)),
        ("30d", NOW + 30 * DAY),
        ("1d12h", NOW + 1.5 * DAY),
        ("2026-10-01T12:00:00Z", datetime(2026, 10, 1, 12, tzinfo=UTC)),
        ("2026-10-01t12:00:00.5z", datetime(2026, 10, 1, 12, 0, 0, 500_000, UTC)),
        ("2026-10-01 12:00:00+02:00", datetime(2026, 10, 1, 10, tzinfo=UTC)),
        ("2026-10-01T00:30:00-01:30", datetime(2026, 10, 1, 2, tzinfo=UTC)),
    ],
)
def test_a_day_is_waived_to_its_end_and_a_duration_from_now_on(
    text: str, until: datetime
) -> None:
    assert parse_until(text, NOW) == until


@pytest.mark.parametrize(
    "text",
    [
        *("", "0s", "2026-09-21", "2026-02-30", "0000-00-00", "9999-12-31", "90y"),
        *("99y99", "2026-09-22T09:40:00Z", "2026-02-30T12:00:00Z"),
        *("2026-10-01T25:00:00Z", "2026-10-01T12:00:00+25:00", "2026-10-01T12:00:00"),
        *("2026-10-01T12:00Z", "20261001T120000Z", "2026-W40-4T12:00:00Z"),
        "9999-12-31T23:59:59-10:00",
    ],
)
def test_what_is_over_or_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_until(text, NOW)

    assert caught.value.code == "invalid_waiver"


@given(st.text(max_size=30) | st.datetimes().map(lambda moment: moment.isoformat()))
def test_any_text_is_a_time_to_come_or_refused(text: str) -> None:
    for parse in (parse_until, parse_moment):
        with suppress(UsageError):
            assert NOW < parse(text, NOW) <= NOW + LONGEST


def test_a_moment_needs_its_zone() -> None:
    assert parse_moment("2026-10-01T12:00:00+02:00", NOW) == datetime(
        2026, 10, 1, 10, tzinfo=UTC
    )
    for parse in (parse_moment, parse_until):
        with pytest.raises(UsageError, match="neither a day") as caught:
            parse("2026-10-01T12:00:00", NOW)
        assert "2026-12-31T12:00:00Z (with its zone)" in (caught.value.hint or "")


def test_no_waiver_holds_for_ever() -> None:
    with pytest.raises(UsageError, match="3660 days at most"):
        parse_until("3661d", NOW)


def test_a_reason_is_one_line_of_plain_text() -> None:
    assert checked_reason(" torch\nmoves \x1b[31m ") == r"torch\nmoves \x1b[31m"
    for text in ("", " \n", "x" * 501):
        with pytest.raises(UsageError, match="needs a reason"):
            checked_reason(text)


def test_only_limits_are_waived() -> None:
    assert checked_limit("max_layers") == "max_layers"
    with pytest.raises(UsageError, match="is no limit"):
        checked_limit("min_growth")


def test_what_is_wrong_is_said_in_words_that_help() -> None:
    with pytest.raises(UsageError) as past:
        parse_until("2020-01-01", NOW)
    with pytest.raises(UsageError) as digest:
        parse_target("hub/acme/app@sha256:" + "a" * 64)

    assert past.value.message == "a waiver has to end in the future"
    assert digest.value.message == "a waiver is about tags, and takes no digest"


def test_a_waiver_says_nothing_from_the_moment_at_which_it_ends() -> None:
    waivers = ActiveWaivers([a_waiver(expires_at=NOW + DAY)])
    moment = timedelta(microseconds=1)

    def found(now: datetime) -> Waiver | None:
        return waivers.find("hub", "acme/app", "1", "max_growth", now)

    assert found(NOW + DAY - moment) is waivers.waivers[0]
    assert found(NOW + DAY) is None
    assert waivers.at(NOW + DAY).waivers == ()
