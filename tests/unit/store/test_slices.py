"""Slices of due repositories: what one job takes, and what becomes of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import pytest
from msgspec.structs import replace
from sqlalchemy import select, update

from support.images import OCI_INDEX, a_digest, a_layer, an_image, an_index_of
from support.of_one import due_repositories
from support.store_world import MINUTE, T0, World, a_result, an_entry
from weighbridge.domain.image.document import Child, Descriptor, Index
from weighbridge.errors import StaleFence
from weighbridge.store.crawls.crawl_rows import Closing, close_many
from weighbridge.store.crawls.due import (
    SMALL,
    Opened,
    Slice,
    have_due,
    open_many,
    open_slice,
)
from weighbridge.store.leases.claiming import (
    Claim,
    Opening,
    claim,
    give_up,
    hold,
    release,
    renew,
)
from weighbridge.store.leases.validity import one_claim
from weighbridge.store.models import repositories, repository_summaries
from weighbridge.store.registries.registry_rows import note_registry, put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.reports.crawls import find_crawl
from weighbridge.store.session import Database

HOUR: Final = timedelta(hours=1)
MINE: Final = one_claim("boot:1.17.99")
_table = repositories.c


@dataclass
class Registry:
    """Some repositories, the first one due longest."""

    database: Database
    registry_id: int
    ids: Mapping[str, int]

    def slice(
        self,
        *,
        owner: str = MINE,
        now: datetime = T0,
        most_requests: int = 1000,
        most: int = 100,
    ) -> list[Opened]:
        wanted = Slice(self.registry_id, now, 60, owner, 3600, most_requests, most)
        with self.database.write() as connection:
            return open_slice(connection, wanted)

    def names(self, *, most_requests: int = 1000, most: int = 100) -> list[str]:
        found = self.slice(most_requests=most_requests, most=most)
        return [one.claim.repository for one in found]

    def put(self, name: str, **values: object) -> None:
        with self.database.write() as connection:
            connection.execute(
                update(repositories).where(_table.id == self.ids[name]).values(**values)
            )

    def crawled(self, tags: Mapping[str, int]) -> None:
        """Known to have so many tags."""
        summary = repository_summaries.c
        for name, count in tags.items():
            self.put(name, last_crawl_at=T0 - HOUR)
            with self.database.write() as connection:
                connection.execute(
                    update(repository_summaries)
                    .where(summary.repository_id == self.ids[name])
                    .values(tag_count=count)
                )

    def row(self, name: str) -> tuple[datetime, int, datetime | None]:
        """When it is due, how often it was begun, until when it is held."""
        with self.database.read() as connection:
            row = connection.execute(
                select(_table.due_at, _table.attempts, _table.lease_until).where(
                    _table.id == self.ids[name]
                )
            ).one()
        return (row.due_at, row.attempts, row.lease_until)

    def close(
        self, opened: Collection[Opened], *, due_at: datetime = T0 + HOUR
    ) -> list[StaleFence | None]:
        closings = [
            Closing(one.claim, one.opened.id, a_result(), T0 + MINUTE, due_at, True)
            for one in opened
        ]
        with self.database.write() as connection:
            return close_many(connection, closings)


def a_registry(database: Database, names: Sequence[str], name: str = "hub") -> Registry:
    with database.write() as connection:
        registry_id = put_registry(connection, an_entry(name), T0)
        ids: dict[str, int] = {}
        for number, repository in enumerate(names):
            due_at = T0 - HOUR + number * MINUTE
            ids |= put_repositories(connection, registry_id, [repository], due_at)
    return Registry(database, registry_id, ids)


@pytest.fixture
def registry(database: Database) -> Registry:
    return a_registry(database, ["d", "c", "b", "a"])


def test_what_has_been_due_longest_is_taken_first(registry: Registry) -> None:
    assert registry.names(most=3) == ["d", "c", "b"]
    assert registry.slice(owner="boot:1.17.99/next")[0].claim.repository == "a"


def test_a_slice_costs_as_many_requests_as_it_may(registry: Registry) -> None:
    registry.crawled({"d": 4, "c": 1, "b": 20})

    assert registry.names(most_requests=27) == ["d", "c"]


def test_a_repository_that_was_never_crawled_counts_for_three(
    registry: Registry,
) -> None:
    assert registry.names(most_requests=8) == ["d", "c"]


def test_a_repository_larger_than_a_slice_is_taken_alone(registry: Registry) -> None:
    registry.crawled({"d": 5000, "c": 1})

    assert registry.names(most_requests=200) == ["d"]


def test_what_is_gone_held_or_not_due_is_left_out(registry: Registry) -> None:
    registry.put("d", deleted_at=T0)
    registry.put("c", lease_until=T0 + MINUTE, lease_owner="boot:1.17.99/other")
    registry.put("b", due_at=T0 + timedelta(seconds=1))

    assert registry.names() == ["a"]


def test_the_lease_of_a_clock_that_was_ahead_keeps_nothing_out_of_a_slice(
    registry: Registry,
) -> None:
    registry.put("d", lease_until=T0 + 1000 * HOUR, lease_owner="boot:1.17.99/far")

    assert registry.names(most=1) == ["d"]


def test_nothing_is_taken_of_a_registry_that_is_unreachable(
    registry: Registry,
) -> None:
    other = a_registry(registry.database, ["x"], name="other")
    with registry.database.write() as connection:
        note_registry(
            connection,
            registry.registry_id,
            state="unreachable",
            reason="timeout",
            now=T0,
        )

    assert registry.names() == []
    assert other.names() == ["x"]


def test_what_does_not_fit_into_one_page_is_found_behind_what_others_have(
    registry: Registry,
) -> None:
    first = registry.names(most=2)
    second = registry.slice(owner="boot:1.17.99/next", most=2)

    assert first == ["d", "c"]
    assert [one.claim.repository for one in second] == ["b", "a"]


def test_a_slice_whose_commit_was_not_answered_is_given_again(
    registry: Registry,
) -> None:
    first = registry.slice(most=2)

    again = registry.slice(most=2)

    numbers = [(one.claim.repository, one.opened.id) for one in first]
    assert [(one.claim.repository, one.opened.id) for one in again] == numbers
    assert [one.claim.fence for one in again] == [2, 2]
    assert registry.row("d")[1] == 1
    assert registry.close(again) == [None, None]


def test_each_repository_that_is_opened_comes_with_what_is_known(
    database: Database,
) -> None:
    worlds = [World(database, repository=name) for name in ("full", "had", "new")]
    image = an_image([a_layer()])
    worlds[0].crawl({"v1": image, "latest": image})
    worlds[1].crawl({"v1": image})
    worlds[1].crawl(deleted=["v1"])
    openings = [Opening(world.repository_id, T0, 60) for world in worlds]

    with database.write() as connection:
        full, had, new = open_many(connection, openings)

    assert full is not None
    assert had is not None
    assert new is not None
    assert full.known is not None
    assert {n: tag.digest for n, tag in full.known.items()} == {
        "v1": image.digest,
        "latest": image.digest,
    }
    assert (full.is_whole, full.has_tags) == (True, True)
    assert (had.known, had.is_whole, had.has_tags) == ({}, True, True)
    assert (new.known, new.is_whole, new.has_tags) == ({}, True, False)


def test_what_lacks_a_child_is_not_whole(world: World) -> None:
    image = an_image([a_layer()])
    away = Child(Descriptor(image.media_type, a_digest("away"), 300), "image")
    index = Index(a_digest("index"), OCI_INDEX, 300, (away,))
    world.keep(index, missing={away.descriptor.digest: "child_missing"})
    world.crawl({"multi": index.digest, "one": an_index_of(image)})

    with world.database.write() as connection:
        (opened,) = open_many(connection, [Opening(world.repository_id, T0, 60)])

    assert opened is not None
    assert (opened.is_whole, opened.has_tags) == (False, True)


def test_tags_of_a_large_repository_are_not_read_with_it(registry: Registry) -> None:
    registry.crawled({"d": SMALL, "c": SMALL + 1})

    small, large = registry.slice(most=2)

    assert small.known == {}
    assert (large.known, large.is_whole, large.has_tags) == (None, False, True)


def test_who_was_overtaken_drops_out_of_a_batch_alone(registry: Registry) -> None:
    opened = registry.slice()
    with registry.database.write() as connection:
        again = claim(connection, registry.ids["c"], now=T0 + 2 * MINUTE, lease_s=60)
    assert again is not None

    results = registry.close(opened)

    assert [isinstance(one, StaleFence) for one in results] == [
        False,
        True,
        False,
        False,
    ]
    assert registry.row("c")[2] == T0 + 3 * MINUTE
    with registry.database.read() as connection:
        reports = [find_crawl(connection, one.opened.id) for one in opened]
    assert [one.state for one in reports if one is not None] == [
        "ok",
        "running",
        "ok",
        "ok",
    ]


def test_a_batch_that_is_closed_again_stays_as_it_was(registry: Registry) -> None:
    opened = registry.slice()
    registry.close(opened)

    assert registry.close(opened) == [None] * 4
    assert registry.slice(now=T0 + HOUR, most=1)[0].claim.crawl_number == 1


@pytest.mark.parametrize("wishes", [1, 2, 3])
def test_a_crawl_that_is_asked_for_while_one_runs_is_not_lost(
    registry: Registry, wishes: int
) -> None:
    registry.put("d", due_at=T0)
    registry.put("c", due_at=T0 + HOUR)
    with registry.database.write() as connection:
        openings = [Opening(registry.ids[name], T0, 60) for name in ("d", "c", "b")]
        opened = [one for one in open_many(connection, openings) if one is not None]
        for _ in range(wishes):
            have_due(connection, [registry.ids["d"], registry.ids["c"]], T0)

    registry.close(opened, due_at=T0 + 2 * HOUR)

    with registry.database.read() as connection:
        due = due_repositories(connection, "hub", T0, 10)
    assert {one.repository for one in due} == {"a", "c", "d"}
    assert registry.row("b")[0] == T0 + 2 * HOUR


def test_what_is_due_already_keeps_its_place(registry: Registry) -> None:
    with registry.database.write() as connection:
        have_due(connection, list(registry.ids.values()), T0)

    assert registry.names() == ["d", "c", "b", "a"]


def test_leases_are_renewed_together_but_not_of_who_was_overtaken(
    registry: Registry,
) -> None:
    claims = [one.claim for one in registry.slice()]
    overtaken = replace(claims[1], fence=0)

    with registry.database.write() as connection:
        renew(connection, [claims[0], overtaken, *claims[2:]], T0 + MINUTE / 2)

    until = {name: registry.row(name)[2] for name in "abcd"}
    later = T0 + MINUTE * 1.5
    assert until == {"a": later, "b": later, "c": T0 + MINUTE, "d": later}


def test_a_slice_that_is_given_back_was_no_start(registry: Registry) -> None:
    claims = [one.claim for one in registry.slice()]
    overtaken = replace(claims[1], fence=0)

    with registry.database.write() as connection:
        release(connection, [claims[0], overtaken, *claims[2:]])

    rows = {name: registry.row(name)[1:] for name in "abcd"}
    free = (0, None)
    assert rows == {"a": free, "b": free, "c": (1, T0 + MINUTE), "d": free}


def test_a_slice_that_failed_is_begun_again_after_a_while(registry: Registry) -> None:
    registry.put("a", due_at=T0)
    claims: list[Claim] = [one.claim for one in registry.slice(most=3)]
    overtaken = replace(claims[1], fence=0)

    with registry.database.write() as connection:
        give_up(connection, [claims[0], overtaken, claims[2]], T0 + MINUTE)

    assert registry.row("d") == (T0 + MINUTE, 1, None)
    assert registry.row("c") == (T0 - HOUR + MINUTE, 1, T0 + MINUTE)
    assert registry.row("b") == (T0 + MINUTE, 1, None)


def test_who_is_opened_holds_what_it_opened(registry: Registry) -> None:
    (one, *_) = registry.slice()

    with registry.database.write() as connection:
        hold(connection, one.claim, T0)
        taken = claim(connection, one.claim.repository_id, now=T0, lease_s=60)

    assert taken is None
