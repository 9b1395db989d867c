"""Sums of what workers count, over a real Redis."""

from collections.abc import Iterator

import pytest

from support.redis_server import RedisServer, a_redis
from weighbridge.jobs.redis.worker_register import MOST, Numbers, Series, Totals

BYTES = Series("bytes_total", (("registry", "hub"),))
SECONDS = Series("seconds_total", (("registry", "hub"),))
LEFT = Series("left", (("registry", "hub"),))


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with a_redis() as running:
        yield running


@pytest.fixture
def totals(server: RedisServer) -> Iterator[Totals]:
    with server.client() as client:
        client.flushall()
    totals = Totals(server.url)
    yield totals
    totals.close()


def test_counts_are_added_up_and_what_was_seen_is_replaced(totals: Totals) -> None:
    first = totals.add(Numbers({BYTES: 1e15, SECONDS: 0.25}, {LEFT: 90.0}))
    second = totals.add(Numbers({BYTES: 1.0, SECONDS: 0.5}, {LEFT: 80.0}))

    assert first == ({BYTES, SECONDS, LEFT}, False)
    assert second == ({BYTES, SECONDS, LEFT}, True)
    assert totals.read() == Numbers({BYTES: 1e15 + 1, SECONDS: 0.75}, {LEFT: 80.0})


def test_broker_003_a_field_that_is_no_number_does_not_keep_others_from_counting(
    totals: Totals, server: RedisServer
) -> None:
    totals.add(Numbers({BYTES: 1.0}))
    with server.client() as client:
        (name,) = client.hkeys("weighbridge:counted")
        client.hset("weighbridge:counted", mapping={name: "evil", "evil": "1"})

    taken, _ = totals.add(Numbers({BYTES: 1.0, SECONDS: 2.0}))

    assert taken == {SECONDS}
    assert totals.read().counted == {SECONDS: 2.0}
    again, _ = totals.add(Numbers({BYTES: 1.0}))
    assert again == {BYTES}


@pytest.mark.parametrize("key", ["weighbridge:counted", "weighbridge:seen"])
def test_broker_009_a_table_of_sums_that_is_none_is_begun_again(
    totals: Totals, server: RedisServer, key: str
) -> None:
    with server.client() as client:
        client.set(key, "x")
    totals.add(Numbers({BYTES: 1.0}, {LEFT: 1.0}))

    taken, _ = totals.add(Numbers({BYTES: 1.0}, {LEFT: 1.0}))

    assert taken == {BYTES, LEFT}


def test_broker_003_what_is_too_much_to_be_ours_is_not_read(
    totals: Totals, server: RedisServer
) -> None:
    totals.add(Numbers({BYTES: 1.0}))
    with server.client() as client:
        client.hset(
            "weighbridge:counted", mapping={f'["n{n}"]': "1" for n in range(20_000)}
        )

    assert totals.read() == Numbers(left_out=("weighbridge:counted",))


def used(registry: str, project: str) -> Series:
    return Series("used", (("project", project), ("registry", registry)))


def test_a_project_that_vanished_is_read_back_no_more(totals: Totals) -> None:
    shop, old, other = used("h", "shop"), used("h", "old"), used("g", "old")
    totals.add(Numbers({BYTES: 1.0}, {shop: 1.0, old: 2.0, other: 3.0}))

    totals.add(Numbers(seen={shop: 4.0}, vanished=frozenset({old})))

    assert totals.read().seen == {shop: 4.0, other: 3.0}


def test_who_tells_all_projects_of_a_registry_ends_those_that_others_told(
    totals: Totals,
) -> None:
    """Whoever had seen the old one may have ended before it vanished."""
    shop, old, other = used("h", "shop"), used("h", "old"), used("g", "old")
    totals.add(Numbers({BYTES: 1.0}, {LEFT: 9.0, old: 2.0, other: 3.0}))

    totals.add(Numbers(seen={shop: 1.0}, whole=frozenset({"h"})))

    assert totals.read().seen == {LEFT: 9.0, shop: 1.0, other: 3.0}


def test_too_many_projects_hide_no_other_number(
    totals: Totals, server: RedisServer
) -> None:
    totals.add(Numbers({BYTES: 1.0}, {LEFT: 9.0}))
    many = {used("h", f"p{n}"): 1.0 for n in range(MOST + 1)}
    totals.add(Numbers(seen=many))

    found = totals.read()
    totals.add(Numbers(seen={used("h", "p1"): 1.0}, whole=frozenset({"h"})))

    assert found == Numbers(
        {BYTES: 1.0}, {LEFT: 9.0}, left_out=("weighbridge:projects",)
    )
    assert totals.read().left_out == ()


def test_f21_a_frozen_redis_is_given_up_soon(
    totals: Totals, server: RedisServer
) -> None:
    server.freeze()
    try:
        with pytest.raises(OSError, match="Redis"):
            totals.add(Numbers({BYTES: 1.0}))
    finally:
        server.resume()
