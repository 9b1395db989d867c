"""A push is a hint: what a tag is now is asked of the registry, and of no other tag."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from support.push_world import Pusher, a_push
from weighbridge.engine.context.parts import Scope
from weighbridge.engine.push.push_plan import EARLY_S
from weighbridge.errors import AuthError, QuotaSpent, RateLimited, TransportError
from weighbridge.store.models import repositories
from weighbridge.store.reports.repositories import find_repository

pytestmark = pytest.mark.slow

ONE = a_served_image(layers=[a_layer("one", 100)])
TWO = a_served_image(layers=[a_layer("two", 200)])
APP = "acme/app"


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as opened:
        yield opened


@pytest.fixture
def registry() -> FakeRegistry:
    registry = FakeRegistry()
    registry.put(APP, "1.0", ONE)
    registry.put(APP, "other", ONE)
    return registry


@pytest.fixture
def pusher(yard: Yard, registry: FakeRegistry) -> Pusher:
    return Pusher(yard, registry)


async def test_a_new_digest_costs_a_manifest_and_a_config(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    digest = registry.put(APP, "1.1", TWO)
    registry.asked.clear()

    pusher.tell(a_push("1.1", digest=digest))
    await pusher.handle()

    questions = {operation for operation, _ in registry.asked}
    assert registry.asked["get_manifest", "1.1"] == 1
    assert registry.count("get_manifest") == registry.count("get_blob") == 1
    # The rest measures the new layer.
    assert questions <= {"get_manifest", "get_blob", "get_range"}
    assert yard.tags(APP)["1.1"].digest == digest
    assert pusher.outcomes == ["new"]


@pytest.mark.parametrize("says_digest", [True, False])
async def test_a_digest_that_is_known_costs_one_request(
    yard: Yard, registry: FakeRegistry, pusher: Pusher, says_digest: bool
) -> None:
    await yard.crawl(registry)
    digest = registry.put(APP, "latest", ONE)
    registry.asked.clear()

    pusher.tell(a_push("latest", digest=digest if says_digest else None))
    await pusher.handle()

    asked = registry.asked.total() - registry.count("get_range")
    assert (asked, pusher.outcomes) == (1, ["new"])


async def test_where_manifests_count_a_push_is_asked_about_by_head(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    registry.has_quota = True
    registry.asked.clear()

    pusher.tell(a_push("1.0"))
    await pusher.handle()

    assert registry.asked == {("head_manifest", "1.0"): 1}
    assert pusher.outcomes == ["same"]


async def test_f35_all_events_of_a_tag_are_one_question(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    registry.put(APP, "1.0", TWO)
    registry.asked.clear()

    pusher.tell(*(a_push("1.0") for _ in range(500)))
    await pusher.handle()

    assert registry.count("get_manifest") == 1
    assert pusher.outcomes == ["moved"] * 500


async def test_webhook_015_a_tag_is_looked_at_twice_in_a_burst(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    registry.asked.clear()

    for _ in range(9):  # A second each.
        pusher.tell(a_push("1.0"))
        await pusher.handle()
    assert registry.asked["get_manifest", "1.0"] == 2
    digest = registry.put(APP, "1.0", TWO)
    pusher.tell(a_push("1.0"))
    yard.now += timedelta(seconds=1)
    await pusher.handle()

    assert registry.asked["get_manifest", "1.0"] == 3
    assert yard.tags(APP)["1.0"].digest == digest
    assert "..." not in pusher.outcomes


async def test_webhook_016_a_late_push_of_what_was_deleted_brings_nothing_back(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    digest = registry.tags_by_repository[APP].pop("1.0")

    pusher.tell(a_push("1.0", is_delete=True))
    await pusher.handle()
    pusher.tell(a_push("1.0", digest=digest))
    await look_until_done(pusher)

    assert live_tags(yard) == {"other"}
    assert pusher.outcomes == ["deleted", "not_found"]


async def test_a_push_that_is_told_before_its_tag_is_there_is_looked_at_again(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    tags = registry.tags_by_repository[APP]
    digest = tags.pop("other")

    # As a distribution does: the event first, then the tag.
    pusher.tell(a_push("2.0", digest=digest))
    await pusher.handle()
    assert pusher.outcomes == ["..."]
    tags["2.0"] = digest
    await pusher.handle()

    assert pusher.outcomes == ["new"]
    assert "2.0" in live_tags(yard)


async def test_a_push_that_is_told_before_its_tag_has_moved_is_looked_at_again(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    tags = registry.tags_by_repository[APP]
    old, before = tags["1.0"], yard.tags(APP)["1.0"]
    new = registry.put(APP, "1.0", TWO)
    tags["1.0"] = old

    pusher.tell(a_push("1.0", digest=new, pushed_at=yard.now))
    await pusher.handle()
    assert pusher.outcomes == ["..."]
    after = yard.tags(APP)["1.0"]
    assert (after.digest, after.pushed_at) == (old, before.pushed_at)
    tags["1.0"] = new
    await pusher.handle()

    assert pusher.outcomes == ["moved"]
    assert yard.tags(APP)["1.0"].digest == new


async def test_of_a_push_that_does_not_come_true_nobody_asks_for_long(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)

    pusher.tell(a_push("never"))
    await look_until_done(pusher)

    assert pusher.outcomes == ["not_found"]
    assert registry.asked["get_manifest", "never"] == 1 + len(EARLY_S)


async def test_a_late_event_of_an_older_digest_is_not_asked_about_again(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    old = registry.tags_by_repository[APP]["1.0"]
    new = registry.put(APP, "1.0", TWO)

    pusher.tell(a_push("1.0", digest=new, pushed_at=yard.now))
    await pusher.handle()
    late = yard.now - timedelta(minutes=1)
    pusher.tell(a_push("1.0", digest=old, pushed_at=late))
    await pusher.handle()

    assert pusher.outcomes == ["moved", "same"]


async def test_webhook_016_both_at_once_end_as_the_registry_says(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    digest = registry.put(APP, "1.0", TWO)

    pusher.tell(a_push("1.0", is_delete=True), a_push("1.0"))
    await pusher.handle()

    assert yard.tags(APP)["1.0"].digest == digest


async def test_a_push_alone_deletes_nothing(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    del registry.tags_by_repository[APP]["1.0"]

    pusher.tell(a_push("1.0"))
    await look_until_done(pusher)

    # The whole crawl that is due now decides.
    assert "1.0" in live_tags(yard)
    assert due_at(yard) <= yard.now


async def test_a_digest_that_was_deleted_takes_its_tags_along(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    registry.put(APP, "2.0", TWO)
    await yard.crawl(registry)
    tags = registry.tags_by_repository[APP]
    digest = tags.pop("1.0")
    del tags["other"]
    registry.asked.clear()

    pusher.tell(a_push(None, digest=digest, is_delete=True))
    await pusher.handle()

    assert live_tags(yard) == {"2.0"}
    assert registry.asked == {
        ("head_manifest", "1.0"): 1,
        ("head_manifest", "other"): 1,
    }


async def test_more_than_half_that_vanish_at_once_wait_for_a_crawl(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    names = [f"1.{number}" for number in range(20)]
    for name in names:
        registry.put(APP, name, ONE)
    await yard.crawl(registry)
    registry.tags_by_repository[APP] = {}

    pusher.tell(*(a_push(name, is_delete=True) for name in names))
    await pusher.handle()

    assert set(names) < live_tags(yard)
    assert due_at(yard) <= yard.now


async def test_a_repository_is_added_once_the_registry_has_it(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    digest = registry.put("acme/new", "1.0", TWO)
    registry.asked.clear()

    pusher.tell(a_push("1.0", repository="acme/new"))
    await pusher.handle("acme/new")

    assert yard.tags("acme/new")["1.0"].digest == digest
    assert registry.count("get_manifest") == registry.count("get_blob") == 1
    # All else that it may have is found by a whole crawl.
    assert pusher.whole == ["acme/new"]


async def test_webhook_011_what_the_registry_does_not_have_gets_no_row(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)

    pusher.tell(a_push("1.0", repository="acme/nobody"))
    await look_until_done(pusher, "acme/nobody")

    with yard.database.read() as connection:
        assert find_repository(connection, "fake", "acme/nobody") is None
    assert pusher.outcomes == ["not_found"]


async def test_a_registry_that_was_never_crawled_can_be_pushed_to(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    pusher.tell(a_push("1.0"))
    await pusher.handle()

    assert list(yard.tags(APP)) == ["1.0"]


@pytest.mark.parametrize(
    "fault",
    [
        TransportError("no answer", code="connect_error"),
        AuthError("no token", code="unauthorized"),
        RateLimited("too much"),
        QuotaSpent("nothing left", retry_after=7200),
    ],
    ids=lambda fault: fault.code,
)
async def test_a_push_without_an_answer_waits(
    yard: Yard, registry: FakeRegistry, pusher: Pusher, fault: Exception
) -> None:
    await yard.crawl(registry)
    digest = registry.put(APP, "1.0", TWO)
    registry.breaks["get_manifest", "1.0"] = fault  # type: ignore[assignment]  # one of ours

    pusher.tell(a_push("1.0"))
    await pusher.handle()
    assert pusher.outcomes == ["..."]
    assert yard.tags(APP)["1.0"].digest != digest
    del registry.breaks["get_manifest", "1.0"]
    registry.asked.clear()
    await pusher.handle()  # A second later, the first time.
    yard.now += timedelta(seconds=getattr(fault, "retry_after", None) or 0)
    await pusher.handle()

    assert pusher.outcomes == ["moved"]
    assert yard.tags(APP)["1.0"].digest == digest
    assert registry.asked["get_manifest", "1.0"] == 1


async def test_who_gets_no_answer_for_a_day_gives_up(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    registry.breaks["get_manifest", "1.0"] = AuthError("no", code="unauthorized")

    pusher.tell(a_push("1.0"))
    looks = 0
    while pusher.outcomes == ["..."]:
        await pusher.handle()
        yard.now += timedelta(minutes=10)
        looks += 1

    assert pusher.outcomes == ["unauthorized"]
    assert looks > 100


async def test_a_tag_outside_the_filter_is_not_asked_about(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    registry.asked.clear()

    pusher.tell(a_push("nightly"))
    await pusher.handle(scope=Scope(wants_tag=lambda name: name != "nightly"))

    assert (pusher.outcomes, registry.asked.total()) == (["outside_filter"], 0)


async def test_the_time_of_a_push_is_that_of_its_digest(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    old = registry.tags_by_repository[APP]["1.0"]
    new = registry.put(APP, "1.0", TWO)
    minute = timedelta(minutes=1)

    pusher.tell(
        a_push("1.0", digest=new, pushed_at=yard.now - minute),
        a_push("1.0", digest=old, pushed_at=yard.now - 2 * minute),
    )
    expected = yard.now - minute
    await pusher.handle()

    assert yard.tags(APP)["1.0"].pushed_at == expected


async def test_a_push_time_that_is_still_to_come_is_not_believed(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    received_at = yard.now

    pusher.tell(a_push("1.0", pushed_at=yard.now + timedelta(days=400)))
    await pusher.handle()

    assert yard.tags(APP)["1.0"].pushed_at == received_at


async def test_a_late_event_does_not_set_the_push_time_back(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    late = yard.now - timedelta(hours=5)
    pushed_at = yard.now

    pusher.tell(a_push("1.0", pushed_at=pushed_at))
    await pusher.handle()
    pusher.tell(a_push("1.0", pushed_at=late))
    await pusher.handle()

    assert yard.tags(APP)["1.0"].pushed_at == pushed_at


async def test_a_push_to_what_is_gone_brings_the_repository_back(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    with yard.database.write() as connection:
        connection.execute(
            update(repositories).values(state="deleted", deleted_at=yard.now)
        )

    pusher.tell(a_push("1.0"))
    await pusher.handle()

    report = yard.repository(APP)
    assert report.state == "new"


async def test_a_repository_in_other_hands_is_tried_again(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    with yard.database.write() as connection:
        connection.execute(
            update(repositories).values(
                lease_until=yard.now + timedelta(minutes=1), lease_owner="elsewhere"
            )
        )
    registry.asked.clear()

    pusher.tell(a_push("1.0"))

    assert await pusher.handle() == "busy"
    assert (pusher.outcomes, registry.asked.total()) == (["..."], 0)


async def test_the_verdict_is_told_of_with_when_the_push_came(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)
    registry.put(APP, "1.1", TWO)
    received_at = yard.now

    pusher.tell(a_push("1.1"))
    yard.now += timedelta(seconds=3)
    await pusher.handle()

    (judged,) = pusher.judged
    assert (judged.tag, judged.verdict) == ("1.1", "pass")
    assert judged.received_at == received_at
    assert list(judged.compressed_bytes) == [200]


async def test_a_look_leaves_no_lease_behind(
    yard: Yard, registry: FakeRegistry, pusher: Pusher
) -> None:
    await yard.crawl(registry)

    pusher.tell(a_push("1.0"))
    await pusher.handle()

    with yard.database.read() as connection:
        row = connection.execute(
            select(repositories.c.lease_until, repositories.c.attempts)
        ).one()
    assert tuple(row) == (None, 0)


async def look_until_done(pusher: Pusher, repository: str = APP) -> None:
    for _ in range(10):
        if "..." in pusher.outcomes:
            await pusher.handle(repository)
    assert "..." not in pusher.outcomes


def live_tags(yard: Yard) -> set[str]:
    return {name for name, tag in yard.tags(APP).items() if tag.deleted_at is None}


def due_at(yard: Yard) -> datetime:
    with yard.database.read() as connection:
        found: datetime = connection.execute(select(repositories.c.due_at)).scalar_one()
    return found
