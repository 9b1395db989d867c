"""Rows of violations: what is kept of a cause, and what goes with a repository."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from support.court import MB, Court, built, weighing
from support.images import a_layer
from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.policy.quantity import Quantity
from weighbridge.store.maintenance.forgetting import find_known, forget
from weighbridge.store.models import notifications, over_tags, unjudged, violations
from weighbridge.store.session import Database
from weighbridge.store.violations.violation_rows import (
    INSTRUCTION_CHARACTERS,
    ViolationKey,
    cause_text,
    find_ended,
    find_open,
    find_sharing,
    read_cause,
)

TEXTS = st.text(max_size=1_500)
COUNTS = st.integers(0, 2**63 - 1)
CHANGE = st.builds(
    LineChange,
    kind=st.sampled_from(["added", "removed", "grown", "shrunk", "replaced"]),
    instruction=TEXTS,
    before_amount=st.none() | COUNTS,
    amount=st.none() | COUNTS,
    grown_amount=st.none() | st.integers(-(2**63), 2**63 - 1),
    of_base=st.booleans(),
)
CAUSES = st.builds(
    Cause,
    of=st.sampled_from(["base", "own", "both", "unknown"]),
    key=st.none() | st.binary(min_size=32, max_size=32),
    changes=st.lists(CHANGE, max_size=20).map(tuple),
    grown_amount=COUNTS,
    base_grown_amount=COUNTS,
    other_grown_amount=COUNTS,
    quantity=st.sampled_from(get_args(Quantity)),
)


@pytest.fixture
def court(database: Database) -> Court:
    return Court(database, names=["acme/app", "acme/other"])


@given(CAUSES)
def test_any_cause_is_read_as_it_was_written(cause: Cause) -> None:
    found = read_cause(cause_text(cause), cause.key)

    assert found is not None
    assert (found.of, found.key, found.grown_amount, found.quantity) == (
        cause.of,
        cause.key,
        cause.grown_amount,
        cause.quantity,
    )
    for kept, change in zip(found.changes, cause.changes, strict=True):
        assert len(kept.instruction) <= INSTRUCTION_CHARACTERS
        assert change.instruction.startswith(kept.instruction.removesuffix("…"))
        assert kept.grown_amount == change.grown_amount


def test_where_no_cause_is_known_there_is_none() -> None:
    assert read_cause(None, None) is None


def test_what_was_found_goes_with_a_forgotten_repository(court: Court) -> None:
    for name in court.names:
        court.crawl({"1": weighing(400)}, name)
        court.crawl({"2": weighing(501)}, name)
        court.policies, kept = [], court.policies
        court.crawl({"3": weighing(502)}, name)
        court.policies = kept
    before = counts(court.database)
    with court.database.read() as connection:
        known = find_known(connection, "hub", "acme/app")
    assert known is not None
    forget(
        court.database,
        known,
        lambda: court.now,
        owner="us",
        listing="list",
        watch=lambda *_: None,
    )

    # What came while there were policies waits for the registry's word.
    assert before == [2, 2, 4, 2]
    assert counts(court.database) == [1, 1, 2, 1]
    assert len(court.rows("acme/other")) == 1


def counts(database: Database) -> list[int]:
    with database.read() as connection:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (violations, notifications, unjudged, over_tags)
        ]


def test_an_episode_that_ended_today_is_found_again(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(501)})
    court.crawl({"3": weighing(400, "small")})
    key = ViolationKey("#", "linux/amd64", "services", "max_compressed")

    with court.database.read() as connection:
        number = court.ids["acme/app"]
        assert find_open(connection, [number]) == {}
        assert find_ended(connection, number, key, court.now) == (1, None)
        other = key._replace(platform="linux/arm64")
        assert find_ended(connection, number, other, court.now) is None


def test_a_cause_is_shared_by_other_repositories_only(court: Court) -> None:
    for name in court.names:
        court.crawl({"1": weighing(400, name)}, name)
    court.crawl({"1": weighing(501)}, "acme/app")
    key = court.cause("acme/app").key
    assert key is not None

    with court.database.write() as connection:
        own, other = (court.ids[name] for name in court.names)
        platform = "linux/amd64"
        assert find_sharing(connection, own, platform, key, court.now) is None
        found = find_sharing(connection, other, platform, key, court.now)
    assert found is not None
    assert found.repository_id == own


def test_amounts_that_fit_no_column_are_cut(court: Court) -> None:
    court.crawl({"1": weighing(1)})
    layers = [("RUN x", a_layer(n, 2**62)) for n in range(3)]
    court.crawl({"1": built(*layers)})

    (row,) = court.rows()
    assert row.amount == 2**63 - 1
    assert court.cause().grown_amount == 3 * 2**62 - MB
