"""Which series the inventory has, and how it keeps its budget."""

from dataclasses import replace
from datetime import timedelta

import pytest

from support.many_repositories import (
    add_repositories,
    change,
    mark_gone,
    set_scope,
    some_names,
)
from support.read_model import NOW
from support.store_world import T0, World, an_entry
from weighbridge.domain.series import Budget, Family
from weighbridge.store.registries import mark_unconfigured, note_registry, put_registry
from weighbridge.store.reports import registry_reports
from weighbridge.store.session import Database
from weighbridge.web.families import REGISTRY
from weighbridge.web.inventory import HOLD_S, Choice
from weighbridge.web.snapshot import Snapshot, checked, take_snapshot

ALL: tuple[Family, ...] = ("largest", "tags", "pushed", "audited")
NAME = 'registry="hub",repository="r0"'


def snapshot_of(
    database: Database,
    budget: Budget | None = None,
    before: Choice | None = None,
    now: float = 0,
) -> Snapshot:
    with database.read() as connection:
        return take_snapshot(connection, budget or Budget(), now, before)


def text_of(database: Database, budget: Budget | None = None) -> str:
    return snapshot_of(database, budget).text.plain.decode()


def shown_in(snapshot: Snapshot) -> set[str]:
    """The repositories that have an info."""
    return {
        line.partition('repository="')[2].partition('"')[0]
        for line in snapshot.text.plain.decode().splitlines()
        if line.startswith("weighbridge_repository_info{")
    }


def test_a_repository_has_its_series_and_an_info(database: Database) -> None:
    add_repositories(database, ["r0"])

    text = text_of(database, Budget(families=ALL))

    pushed = round(NOW.replace(hour=9, minute=0).timestamp())
    for line in (
        f'weighbridge_repository_info{{{NAME},platform="linux/amd64"}} 1',
        f"weighbridge_repository_newest_image_compressed_bytes{{{NAME}}} 1000",
        f"weighbridge_repository_newest_image_uncompressed_bytes{{{NAME}}} 3000",
        f"weighbridge_repository_baseline_image_compressed_bytes{{{NAME}}} 900",
        f"weighbridge_repository_deduplicated_bytes{{{NAME}}} 4000",
        f"weighbridge_repository_exclusive_bytes{{{NAME}}} 1000",
        f"weighbridge_repository_largest_image_compressed_bytes{{{NAME}}} 2000",
        f"weighbridge_repository_tags{{{NAME}}} 5",
        f"weighbridge_repository_newest_image_pushed_timestamp_seconds{{{NAME}}} "
        f"{pushed}",
        f"weighbridge_repository_last_audit_timestamp_seconds{{{NAME}}} {pushed}",
    ):
        assert f"{line}\n" in text


def test_a_registry_has_its_series(database: Database) -> None:
    add_repositories(database, ["r0", "r1"])
    set_scope(database, 1, image_count=4, deduplicated_bytes=7_000, shared_bytes=5_000)
    with database.write() as connection:
        note_registry(connection, 1, state="ok", reason="", now=T0)

    text = text_of(database)

    for name, value in (
        ("up", 1),
        ("repositories", 2),
        ("repositories_failing", 0),
        ("removals_held", 0),
        ("tags", 10),
        ("images", 4),
        ("referenced_bytes", 18_000),
        ("deduplicated_bytes", 7_000),
        ("shared_bytes", 5_000),
    ):
        assert f'weighbridge_registry_{name}{{registry="hub"}} {value}\n' in text


def test_what_is_not_known_is_absent_and_never_zero(world: World) -> None:
    text = text_of(world.database, Budget(families=ALL))

    for part in ("_bytes", "last_audit", "pushed", "registry_up", "registry_images"):
        assert part not in text
    assert 'info{registry="hub",repository="acme/app",platform=""} 1' in text


def test_optional_families_are_there_only_where_they_are_wanted(
    database: Database,
) -> None:
    add_repositories(database, ["r0"])

    plain, chosen = text_of(database), text_of(database, Budget(families=("tags",)))

    assert "repository_tags" not in plain
    assert f"repository_tags{{{NAME}}} 5" in chosen
    assert "largest" not in chosen


def test_a_time_that_no_push_gave_is_not_called_pushed(database: Database) -> None:
    (only,) = add_repositories(database, ["r0"]).values()
    change(database, only, newest_by="created")

    assert "pushed_timestamp" not in text_of(database, Budget(families=ALL))


def test_a_registry_that_does_not_answer_is_down(database: Database) -> None:
    add_repositories(database, ["r0"])
    with database.write() as connection:
        note_registry(connection, 1, state="unreachable", reason="timeout", now=T0)

    assert 'weighbridge_registry_up{registry="hub"} 0\n' in text_of(database)


def test_a_registry_that_is_not_configured_has_no_series(database: Database) -> None:
    add_repositories(database, ["a/b"], "old")
    add_repositories(database, ["c/d"], "hub")
    with database.write() as connection:
        mark_unconfigured(connection, ["hub"], T0)

    snapshot = snapshot_of(database)

    text = snapshot.text.plain.decode()
    assert 'registry="hub",repository="c/d"' in text
    assert "old" not in text
    assert (snapshot.choice.exposed, snapshot.choice.omitted) == (1, 0)


def test_a_repository_that_is_gone_is_in_no_series_and_in_no_sum(
    database: Database,
) -> None:
    ids = add_repositories(database, ["r0", "r1"])
    mark_gone(database, [ids["r1"]])

    text = text_of(database)

    assert "r1" not in text
    assert 'weighbridge_registry_repositories{registry="hub"} 1\n' in text
    assert 'weighbridge_registry_referenced_bytes{registry="hub"} 9000\n' in text


def test_no_tag_digest_or_line_is_a_label(database: Database) -> None:
    add_repositories(database, ["r0"])

    text = text_of(database, Budget(families=ALL))

    assert "1.2.3" not in text
    assert "sha256" not in text


def test_a_name_that_prometheus_could_not_read_is_cleaned(database: Database) -> None:
    add_repositories(database, ['a"b\\c', "x" * 300])

    text = text_of(database)

    assert r'repository="a\"b\\c"' in text
    assert "x" * 201 not in text


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


def test_a_budget_for_nothing_shows_registries_only(database: Database) -> None:
    add_repositories(database, some_names(3))

    snapshot = snapshot_of(database, Budget(20))

    assert snapshot.choice.level == 0
    assert shown_in(snapshot) == set()
    text = snapshot.text.plain.decode()
    assert 'weighbridge_registry_repositories{registry="hub"} 3\n' in text


def test_repositories_that_are_not_read_to_the_end_are_counted(world: World) -> None:
    with world.database.read() as connection:
        (report,) = registry_reports(connection)
    states = {**report.repository_states, "partial": 2, "missing": 1, "ok": 4}

    (family,) = (f for f in REGISTRY if f.name.endswith("repositories_failing"))
    assert family.value_of(replace(report, repository_states=states)) == 3


def test_an_empty_database_has_an_empty_inventory(database: Database) -> None:
    assert text_of(database) == ""
    with database.write() as connection:
        put_registry(connection, an_entry(), T0 + timedelta(days=1))
    assert 'repositories{registry="hub"} 0\n' in text_of(database)
