"""Which series the inventory has."""

from datetime import timedelta

from sqlalchemy import update

from support.inventory import snapshot_of, text_of
from support.many_repositories import (
    add_repositories,
    change,
    mark_gone,
    set_scope,
    some_names,
)
from support.read_model import NOW
from support.store_world import T0, World, an_entry
from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.domain.series_budget import (
    REGISTRY_SERIES,
    Budget,
    Family,
)
from weighbridge.store.models import repositories
from weighbridge.store.registries.registry_rows import (
    mark_unconfigured,
    note_registry,
    put_registry,
)
from weighbridge.store.session import Database
from weighbridge.web.metrics.reclaimable import Reclaimable

ALL: tuple[Family, ...] = ("largest", "tags", "pushed", "audited")
NAME = 'registry="hub",repository="r0"'


def set_state(database: Database, repository_id: int, state: RepositoryState) -> None:
    with database.write() as connection:
        connection.execute(
            update(repositories)
            .where(repositories.c.id == repository_id)
            .values(state=state)
        )


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


def test_repositories_that_are_not_read_to_the_end_are_counted_by_state(
    database: Database,
) -> None:
    ids = add_repositories(database, some_names(6))
    set_state(database, ids["r0"], "partial")
    set_state(database, ids["r1"], "partial")
    set_state(database, ids["r2"], "missing")

    text = text_of(database)

    for state, count in (
        ("partial", 2),
        ("missing", 1),
        ("unauthorized", 0),
        ("unreachable", 0),
        ("error", 0),
    ):
        family = "weighbridge_registry_repositories_failing"
        assert f'{family}{{registry="hub",state="{state}"}} {count}\n' in text
    assert 'state="ok"' not in text


def test_a_registry_never_has_more_series_than_are_kept_back_for_it(
    database: Database,
) -> None:
    add_repositories(database, ["r0"])
    with database.write() as connection:
        note_registry(connection, 1, state="ok", reason="", now=T0)

        connection.exec_driver_sql("INSERT INTO repository_savings VALUES (1,1,1,1,1)")
    counted = Reclaimable(of_registries={"hub": 0})

    text = snapshot_of(database, reclaimable=counted).text.plain.decode()

    of_registry = [
        line for line in text.splitlines() if line.startswith("weighbridge_registry_")
    ]
    assert len(of_registry) == REGISTRY_SERIES


def test_an_empty_database_has_an_empty_inventory(database: Database) -> None:
    assert text_of(database) == ""
    with database.write() as connection:
        put_registry(connection, an_entry(), T0 + timedelta(days=1))
    assert 'repositories{registry="hub"} 0\n' in text_of(database)
