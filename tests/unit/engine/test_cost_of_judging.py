"""What judging costs: statements and rows, which are the same each time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.court import DEFAULTS, LIMIT, MB, Court, weighing
from support.database import a_database
from support.statements import counted


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Court]:
    with a_database(tmp_path) as database:
        yield Court(database, DEFAULTS, is_listed=False)


def looked(court: Court, *sizes: float, judges: bool = True) -> int:
    """Statements of a look that finds a tag for each size."""
    moves = {f"{n}.0": weighing(size, n) for n, size in enumerate(sizes)}
    policies, court.policies = court.policies, court.policies if judges else []
    with counted() as made:
        court.crawl(moves)
    court.policies = policies
    return len(made)


def test_the_first_crawl_costs_one_statement_more(court: Court, tmp_path: Path) -> None:
    judged = looked(court, *range(1, 30))
    (tmp_path / "other").mkdir()
    with a_database(tmp_path / "other") as database:
        other = Court(database, DEFAULTS, is_listed=False)
        unjudged = looked(other, *range(1, 30), judges=False)

    assert judged - unjudged <= 1
    assert court.unjudged() == 0


def test_a_crawl_that_finds_nothing_new_costs_nothing(court: Court) -> None:
    looked(court, 1, 2, 3)

    assert looked(court, 1, 2, 3) == looked(court, 1, 2, 3, judges=False)
    assert court.unjudged() == 0


@pytest.mark.parametrize("tags", [1, 10, 100])
def test_a_push_costs_the_same_however_many_tags_there_are(
    court: Court, tags: int
) -> None:
    looked(court, *([90] * tags))
    with counted() as made:
        court.judge()
    nothing = len(made)
    policies, court.policies = court.policies, []
    court.crawl({"latest": weighing(100)})
    court.crawl({"latest": weighing(101)})
    court.policies = policies
    with counted() as made:
        court.judge()

    assert nothing <= 5
    assert len(made) - nothing <= 13
    # Judged by its claim: it is judged again once the registry has been asked.
    assert court.unjudged() == 1


def test_a_violation_is_one_row_whatever_comes_after(court: Court) -> None:
    court.policies = [LIMIT]
    court.crawl({"latest": weighing(1)})
    for number in range(20):
        court.crawl({"latest": weighing(501 + number)})

    assert len(court.rows()) == 1
    assert court.rows()[0].amount == 520 * MB
