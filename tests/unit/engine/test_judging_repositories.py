"""What a whole repository stores, held against its limit: on either side of the end of
its registry's first crawl the same is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.answering import answer
from support.court import MB, Court, weighing
from support.database import Engine, a_database
from support.policies import a_policy
from weighbridge.domain.image.document import Image
from weighbridge.domain.size.confidence import MeasuredBlob
from weighbridge.engine.judge.judge import refresh_and_judge
from weighbridge.store.facts.stored_images import NOT_MEASURED
from weighbridge.store.ledger.holdings import settle_all

ROOM = a_policy("room", max_deduplicated=700 * MB)


@pytest.fixture
def first(tmp_path: Path, engine: Engine) -> Iterator[Court]:
    """A registry that nobody has crawled before."""
    with a_database(tmp_path, engine) as database:
        yield Court(database, is_listed=False, policies=[ROOM])


def say(court: Court, image: Image, megabytes: int) -> None:
    """The registry's word on the layer of an image, and what follows a crawl."""
    word = {image.layers[0].digest: MeasuredBlob(megabytes * MB, NOT_MEASURED)}
    answer(court.database, court.scope_id, word, court.now)
    settle_all(court.database)
    with court.database.write() as connection:
        ids = list(court.ids.values())
        refresh_and_judge(connection, ids, court.now, court.judging, is_waiting=True)
    court.judge_what_stands()


@pytest.mark.parametrize("is_late", [False, True])
def test_what_a_first_crawl_stores_is_silent_whenever_its_sums_are_settled(
    first: Court, *, is_late: bool
) -> None:
    image = weighing(400)
    first.crawl({"1": image}, is_complete=is_late)
    say(first, image, 800)
    if not is_late:
        first.crawl({"1": image})

    assert [(row.amount // MB, row.is_silent) for row in first.rows()] == [(800, True)]
    assert first.told == []


def test_a_deletion_does_not_end_the_silence_and_a_push_does(first: Court) -> None:
    first.crawl({"1": weighing(400), "2": weighing(401), "3": weighing(1)})
    first.crawl(deleted=["3"])
    before = list(first.told)
    first.crawl({"4": weighing(2)})

    assert before == []
    (row,) = first.rows()
    assert (row.limit_key, row.is_silent) == ("max_deduplicated", False)
    assert first.events == ["opened"]


def test_what_a_push_weighs_is_told_though_its_size_is_learned_later(
    first: Court,
) -> None:
    """Whoever claims few bytes is not quieter for it than whoever claims them all."""
    first.crawl({"1": weighing(400)})
    image = weighing(5)
    first.push({"2": image})
    before = first.rows()
    say(first, image, 500)

    assert before == []
    assert [row.is_silent for row in first.rows()] == [False]
    assert first.events == ["opened"]


def test_a_repository_that_comes_later_is_told_of_whenever_its_sums_are_settled(
    first: Court,
) -> None:
    court = Court(first.database, policies=[ROOM])
    image = weighing(400)
    court.crawl({"1": image})
    say(court, image, 800)

    assert [row.is_silent for row in court.rows()] == [False]
    assert court.events == ["opened"]
