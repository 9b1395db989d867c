"""Whatever events say, in whatever order: no time is invented, none is lost."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from support.images import a_digest
from support.store_world import T0
from weighbridge.domain.image.digest import Digest
from weighbridge.engine.push.push_plan import AHEAD, EARLY_S, by_tag
from weighbridge.store.pushes.inbox import WaitingPush

DIGESTS = tuple(a_digest(name) for name in "abc")
MOMENTS = st.integers(-1000, 1000).map(lambda minutes: T0 + timedelta(minutes=minutes))


@st.composite
def some_events(draw: st.DrawFn) -> list[tuple[str, WaitingPush]]:
    count = draw(st.integers(1, 12))
    return [
        (
            draw(st.sampled_from(["1.0", "1.1"])),
            WaitingPush(
                id=number,
                tag=None,
                digest=draw(st.none() | st.sampled_from(DIGESTS)),
                is_delete=draw(st.booleans()),
                pushed_at=draw(st.none() | MOMENTS),
                received_at=draw(MOMENTS),
                attempts=draw(st.integers(0, 5)),
            ),
        )
        for number in range(count)
    ]


@given(some_events())
def test_each_event_belongs_to_its_tag(events: list[tuple[str, WaitingPush]]) -> None:
    found = by_tag(events)

    expected = {name: [e.id for tag, e in events if tag == name] for name, _ in events}
    assert {name: pushed.ids for name, pushed in found.items()} == expected


@given(some_events(), st.sampled_from(DIGESTS), MOMENTS)
def test_a_push_time_was_said_or_is_that_of_a_receipt(
    events: list[tuple[str, WaitingPush]], digest: Digest, now: datetime
) -> None:
    for name, pushed in by_tag(events).items():
        own = [event for tag, event in events if tag == name and not event.is_delete]
        at = pushed.time_of(digest, now)

        said = {e.pushed_at for e in own if e.digest in (digest, None)}
        receipts = {min(now, event.received_at) for _, event in events}
        assert at is None or at in said | receipts
        assert at is None or at <= now + AHEAD
        assert (at is None) == all(event.pushed_at is None for event in own)


@given(some_events(), st.none() | st.sampled_from(DIGESTS))
def test_an_event_is_early_only_a_few_times_and_never_where_it_came_true(
    events: list[tuple[str, WaitingPush]], digest: Digest | None
) -> None:
    by_id = {event.id: event for _, event in events}
    for pushed in by_tag(events).values():
        for event in (by_id[number] for number in pushed.early(digest)):
            assert not event.is_delete
            assert event.attempts < len(EARLY_S)
            assert digest is None or event.digest != digest
