"""How the inventory keeps its budget of series, and who stays."""

from random import Random

import pytest
from sqlalchemy import bindparam, update

from support.inventory import shown_in, snapshot_of
from support.many_repositories import add_repositories, change, mark_gone, some_names
from weighbridge.domain.series_budget import (
    EXPORTER_SERIES,
    REGISTRY_SERIES,
    Budget,
    Family,
)
from weighbridge.store.models import repository_summaries
from weighbridge.store.session import Database
from weighbridge.web.metrics.snapshot import HOLD_S, Choice, checked

ALL: tuple[Family, ...] = ("largest", "tags", "pushed", "audited")


@pytest.mark.parametrize("count", [1, 10, 60, 100, 400])
def test_the_budget_is_kept_at_every_size(database: Database, count: int) -> None:
    add_repositories(database, some_names(count))
    budget = Budget(400, families=ALL)

    snapshot = snapshot_of(database, budget)

    whole = checked(snapshot, 7, budget).rendered.plain.decode()
    lines = [line for line in whole.splitlines() if not line.startswith("#")]
    assert len(lines) <= 400
    assert snapshot.choice.exposed + snapshot.choice.omitted == count
    assert len(shown_in(snapshot)) == snapshot.choice.exposed


def test_the_heaviest_stay_and_totals_are_over_all(database: Database) -> None:
    add_repositories(database, some_names(200))

    snapshot = snapshot_of(database, Budget(100))

    kept = shown_in(snapshot)
    assert kept == {f"r{i}" for i in range(200 - len(kept), 200)}
    text = snapshot.text.plain.decode()
    assert 'weighbridge_registry_tags{registry="hub"} 1000\n' in text


def test_what_is_pinned_stays_however_light_it_is(database: Database) -> None:
    add_repositories(database, some_names(200))

    snapshot = snapshot_of(database, Budget(100, pin=("r0", "r1*99")))

    assert {"r0", "r199"} <= shown_in(snapshot)
    assert snapshot.choice.pinned_omitted == 0


def test_more_pins_than_fit_are_said_and_the_heaviest_stay(database: Database) -> None:
    add_repositories(database, some_names(200))

    snapshot = snapshot_of(database, Budget(100, pin=("r1*",)))

    assert snapshot.choice.pinned_omitted == 111 - snapshot.choice.exposed > 0
    assert "r199" in shown_in(snapshot)
    whole = checked(snapshot, 7, Budget(100)).rendered.plain.decode()
    assert f"pinned_repositories_omitted {snapshot.choice.pinned_omitted}\n" in whole


def test_a_pattern_means_what_it_means_in_the_configuration(database: Database) -> None:
    add_repositories(
        database, ["acme/api", "acme/ui/web", "acme_x/api", "other/acme/api"]
    )
    add_repositories(database, some_names(100, "z"))

    snapshot = snapshot_of(database, Budget(60, pin=("acme/*", "a%")))

    assert {"acme/api", "acme/ui/web"} <= shown_in(snapshot)
    assert not {"acme_x/api", "other/acme/api"} & shown_in(snapshot)


def test_a_pin_in_one_registry_does_not_hide_another(database: Database) -> None:
    add_repositories(database, ["app"], "one")
    add_repositories(database, ["app"], "two")

    text = snapshot_of(database, Budget(100, pin=("app",))).text

    assert b'registry="one",repository="app"' in text.of_registry("one")
    assert b'registry="one"' not in text.of_registry("two")


def test_neighbours_that_swap_ranks_do_not_come_and_go(database: Database) -> None:
    ids = add_repositories(database, some_names(200))
    budget = Budget(100)
    first = snapshot_of(database, budget)
    lightest = min(shown_in(first), key=lambda name: int(name[1:]))
    change(database, ids[lightest], newest_compressed_bytes=1)
    next_one = f"r{int(lightest[1:]) - 1}"
    change(database, ids[next_one], newest_compressed_bytes=5_000)
    change(database, ids[lightest], newest_compressed_bytes=int(lightest[1:]) + 998)

    second = snapshot_of(database, budget, first.choice)

    assert shown_in(first) <= shown_in(second)
    assert next_one in shown_in(second)
    assert second.text.series <= 100


def test_who_would_not_come_in_any_more_leaves_after_a_day(database: Database) -> None:
    ids = add_repositories(database, some_names(200))
    budget = Budget(100)
    first = snapshot_of(database, budget)
    lightest = min(shown_in(first), key=lambda name: int(name[1:]))
    change(database, ids["r0"], newest_compressed_bytes=9_000)

    soon = snapshot_of(database, budget, first.choice, now=10)
    late = snapshot_of(database, budget, soon.choice, now=10 + HOLD_S - 1)
    later = snapshot_of(database, budget, late.choice, now=10 + HOLD_S)

    assert [lightest in shown_in(each) for each in (soon, late, later)] == [
        True,
        True,
        False,
    ]


def test_metrics_004_nobody_leaves_while_weights_tremble(database: Database) -> None:
    ids = add_repositories(database, some_names(300))
    chance, budget = Random(4), Budget(1_000)  # noqa: S311 - no secret
    before = snapshot_of(database, budget)

    for minute in range(1, 40):
        with database.write() as connection:
            connection.execute(
                update(repository_summaries)
                .where(repository_summaries.c.repository_id == bindparam("id"))
                .values(newest_compressed_bytes=bindparam("size")),
                [
                    {"id": identity, "size": 1_000 + number + chance.randint(-10, 10)}
                    for number, identity in enumerate(ids.values())
                ],
            )
        after = snapshot_of(database, budget, before.choice, now=60.0 * minute)
        assert shown_in(before) <= shown_in(after)
        before = after

    assert len(shown_in(before)) < 163  # what there is room for


def test_families_that_left_do_not_come_and_go_at_the_edge_of_the_budget(
    database: Database,
) -> None:
    ids = add_repositories(database, some_names(30))
    budget = Budget(EXPORTER_SERIES + REGISTRY_SERIES + 29 * 10, families=ALL)
    first = snapshot_of(database, budget)
    mark_gone(database, [ids["r0"]])

    soon = snapshot_of(database, budget, first.choice, now=HOLD_S - 1)
    later = snapshot_of(database, budget, soon.choice, now=HOLD_S)
    mark_gone(database, [ids[f"r{number}"] for number in range(1, 8)])
    with_room = snapshot_of(database, budget, soon.choice, now=HOLD_S - 1)

    levels = [each.choice.level for each in (first, soon, later, with_room)]
    assert levels == [2, 2, 3, 3]


def test_an_inventory_that_grows_steps_down_and_back_up(database: Database) -> None:
    budget = Budget(EXPORTER_SERIES + REGISTRY_SERIES + 12 * 10, families=ALL)
    before: Choice | None = None
    levels: list[int] = []
    for count, prefix in ((10, "a"), (5, "b"), (20, "c")):
        add_repositories(database, some_names(count, prefix))
        before = snapshot_of(database, budget, before).choice
        levels.append(before.level)
    gone = add_repositories(database, some_names(20, "c"))
    mark_gone(database, gone.values())
    back = snapshot_of(database, budget, before)

    assert levels == [3, 2, 1]
    assert (back.choice.level, back.choice.exposed, back.choice.omitted) == (2, 15, 0)


def test_a_budget_for_nothing_shows_registries_only(database: Database) -> None:
    add_repositories(database, some_names(3))

    snapshot = snapshot_of(database, Budget(20))

    assert snapshot.choice.level == 0
    assert shown_in(snapshot) == set()
    text = snapshot.text.plain.decode()
    assert 'weighbridge_registry_repositories{registry="hub"} 3\n' in text
