"""When a group's next message is due: at once, gathered, or not at all."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from weighbridge.domain.message.grouping import (
    GIVEN_UP_AFTER,
    LONGEST_GATHERING,
    LONGEST_PAUSE,
    GroupState,
    Route,
    Routed,
    about,
    cause_group,
    due_in_cause,
    due_in_route,
    is_given_up,
    message_key,
    pause_after,
    retry_at,
    route_group,
)

T0 = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
ROUTE = Route("ops")
INTERVAL = timedelta(seconds=ROUTE.group_interval_s)
SHOP = Routed("warning", "shop", "hub", "acme/app", "services")

seconds = st.integers(0, 20 * 24 * 3600).map(lambda s: timedelta(seconds=s))
arrivals = st.lists(seconds, min_size=1, max_size=60).map(sorted)


@dataclass
class Simulated:
    """A group whose messages all arrive, the moment that they are due."""

    is_cause: bool
    state: GroupState = field(default_factory=GroupState)
    waiting: int = 0
    listed: int = 0
    sent: list[tuple[datetime, int]] | None = None

    def run(self, moments: list[timedelta]) -> list[tuple[datetime, int]]:
        self.sent = []
        for moment in moments:
            self._send_until(T0 + moment)
            self._arrive(T0 + moment)
        self._send_until(T0 + timedelta(days=400))
        return self.sent

    def _arrive(self, now: datetime) -> None:
        if not self.is_cause:
            at = due_in_route(
                self.state, now, wait_s=0, interval_s=ROUTE.group_interval_s
            )
            self.state = replace(self.state, next_at=at)
            self.waiting += 1
            return
        due = due_in_cause(self.state, ROUTE, now)
        if due is None:
            self.listed += 1
            return
        messages = 0 if due.begins_anew else self.state.messages
        self.state = replace(self.state, next_at=due.next_at, messages=messages)
        self.waiting += 1

    def _send_until(self, now: datetime) -> None:
        at = self.state.next_at
        if at is not None and at <= now:
            assert self.sent is not None
            self.sent.append((at, self.waiting))
            self.waiting = 0
            self.state = GroupState(None, at, self.state.messages + 1)


@given(arrivals)
def test_a_routes_group_tells_all_at_once_or_an_interval_later(
    moments: list[timedelta],
) -> None:
    sent = Simulated(is_cause=False).run(moments)

    times = [at for at, _ in sent]
    assert sum(count for _, count in sent) == len(moments)
    assert times[0] == T0 + moments[0]
    assert all(b - a >= INTERVAL for a, b in pairwise(times))
    assert all(
        any(T0 + moment <= at <= T0 + moment + INTERVAL for at in times)
        for moment in moments
    )


@given(arrivals)
def test_a_cause_is_told_at_most_twice_in_its_time(moments: list[timedelta]) -> None:
    group = Simulated(is_cause=True)

    sent = group.run(moments)

    assert sum(count for _, count in sent) + group.listed == len(moments)
    assert sent[0] == (T0 + moments[0], sent[0][1])
    repeat = timedelta(seconds=ROUTE.repeat_s)
    for first, _, third in zip(sent, sent[1:], sent[2:], strict=False):
        assert third[0] - first[0] >= repeat


@given(arrivals)
def test_nothing_gathers_for_more_than_a_day(moments: list[timedelta]) -> None:
    began = GroupState(None, T0, 1)
    group = Simulated(is_cause=True, state=began)

    sent = group.run(moments)

    if moments[0] < LONGEST_GATHERING:
        assert sent[0][0] <= T0 + LONGEST_GATHERING
    assert sent[0][0] <= T0 + moments[0] + LONGEST_GATHERING


def test_a_group_that_was_tried_in_vain_is_not_hurried() -> None:
    failing = GroupState(T0 + DAY, T0, 1, is_tried=True)

    due = due_in_cause(failing, ROUTE, T0 + SECOND)

    assert due is not None
    assert due.next_at == T0 + DAY
    assert due_in_route(failing, T0, wait_s=0, interval_s=1) == T0 + DAY


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_a_pause_is_bounded(tries: int, jitter: float) -> None:
    assert SECOND / 2 <= pause_after(tries, jitter) <= LONGEST_PAUSE


def test_a_pause_doubles() -> None:
    pauses = [pause_after(n, 1.0).total_seconds() for n in range(1, 13)]

    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


@given(st.floats(allow_nan=False, min_value=0), seconds)
def test_whatever_a_receiver_asks_for_the_last_try_comes_when_the_day_is_over(
    asked_s: float, since: timedelta
) -> None:
    at = retry_at(T0 + since, T0, SECOND, retry_after_s=asked_s)

    assert T0 + since <= at <= T0 + max(since, GIVEN_UP_AFTER)


@given(st.floats(allow_nan=False, min_value=0))
def test_nobody_is_left_alone_for_longer_than_the_longest_pause(asked_s: float) -> None:
    # By that it is known which due times a clock that was ahead has set.
    assert retry_at(T0, T0, SECOND, retry_after_s=asked_s) <= T0 + LONGEST_PAUSE


def test_it_is_given_up_when_the_day_is_over() -> None:
    assert not is_given_up(T0, T0 + DAY - SECOND)
    assert is_given_up(T0, T0 + DAY)


def test_groups_are_told_apart_by_values_and_by_channel() -> None:
    by_team = Route("ops", group_by=("team", "policy"))
    keys = {
        route_group(by_team, SHOP),
        route_group(by_team, replace(SHOP, team=None)),
        route_group(by_team, replace(SHOP, team="shopservices", policy="")),
        route_group(replace(by_team, channel="hook"), SHOP),
        route_group(replace(by_team, group_by=("policy", "team")), SHOP),
        cause_group("ops", b"a" * 32),
        cause_group("hook", b"a" * 32),
    }

    assert len(keys) == 7
    assert route_group(by_team, replace(SHOP, repository="other")) in keys


def test_a_headline_says_what_the_items_have_in_common() -> None:
    assert about(Route("ops", group_by=("policy", "team")), SHOP) == (
        "policy services, team shop"
    )
    assert about(Route("ops", group_by=("team",)), replace(SHOP, team=None)) == ""
    assert about(Route("ops", group_by=()), SHOP) == ""


def test_a_message_has_one_key_and_no_other_message_has_it() -> None:
    rows = [(1, T0), (2, T0)]

    assert message_key("ops", rows) == message_key("ops", list(rows))
    assert message_key("ops", rows) != message_key("hook", rows)
    assert message_key("ops", rows) != message_key("ops", rows[:1])
    assert message_key("ops", rows) != message_key("ops", [(1, T0), (2, T0 + SECOND)])
