"""Random histories: what deleting tags would free is what brute force says, for random
sets of tags, for each image alone, and for all tags together."""

import random

import pytest
from sqlalchemy import text

from support.brute_force import freed_by_deleting
from support.ledger_world import Fleet, History, TwoEntries
from support.seeds import seeds
from support.store_world import T0
from weighbridge.domain.reclaim.reclaim_report import Freed, ReclaimReport
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.reports.reclaim import frees_alone, reclaim_tags
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.session import Connection, Database

pytestmark = pytest.mark.slow


def report_of(
    connection: Connection, repository: int, names: set[str]
) -> ReclaimReport:
    registry, name = connection.execute(
        text(
            "SELECT registries.name, repositories.name FROM repositories"
            " JOIN registries ON registries.id = registry_id"
            " WHERE repositories.id = :id"
        ),
        {"id": repository},
    ).one()
    found = find_repository(connection, registry, name)
    assert found is not None
    return reclaim_tags(connection, found, names, T0)


def tags_of(connection: Connection, repository: int) -> dict[str, int]:
    rows = connection.execute(
        text(
            "SELECT name, target_id FROM tags WHERE deleted_at IS NULL"
            " AND target_id IS NOT NULL AND repository_id = :id"
        ),
        {"id": repository},
    )
    return {row.name: row.target_id for row in rows}


def crawled(database: Database) -> list[int]:
    """Let every repository be as after a whole crawl; those that are not gone."""
    settle_all(database)
    with database.write() as connection:
        connection.execute(
            text("UPDATE repositories SET state = 'ok', state_reason = '', held = NULL")
        )
        rows = connection.execute(
            text("SELECT id FROM repositories WHERE deleted_at IS NULL ORDER BY id")
        )
        return [row.id for row in rows]


def compare(database: Database, repository: int, names: set[str]) -> Freed:
    manifests, blobs, freed_bytes = freed_by_deleting(database, repository, names)
    with database.read() as connection:
        report = report_of(connection, repository, names)
        rows = connection.execute(text("SELECT id, digest FROM blobs"))
        digests = {row.id: f"sha256:{row.digest.hex()}" for row in rows}
        kept = connection.execute(text("SELECT id FROM blobs WHERE facts_state >= 2"))
        documents = {row.id for row in kept}
    assert report.freed is not None
    freed = report.freed

    assert freed.freed_bytes == freed_bytes
    assert freed.blobs == len(blobs)
    assert sorted(freed.manifests) == sorted(digests[m] for m in manifests & documents)
    assert (report.reason is None) == (freed_bytes > 0)
    return freed


@pytest.mark.long_on("postgresql")  # test_reclaim has it
@pytest.mark.parametrize("scope", ["project", "registry", "repository"])
@pytest.mark.parametrize("seed", seeds(300, 4, quick=1))
def test_what_deletion_frees_equals_brute_force_in_random_histories(
    database: Database, seed: int, scope: str
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    history = History(Fleet(database, scope=scope), rnd)

    for step in range(60):
        history.step()
        if step % 4:
            continue
        for repository in crawled(database):
            with database.read() as connection:
                tags = tags_of(connection, repository)
            some = {name for name in tags if rnd.random() < 0.5}
            compare(database, repository, some)
            for_each_image_alone(database, repository, tags)


def for_each_image_alone(
    database: Database, repository: int, tags: dict[str, int]
) -> None:
    with database.read() as connection:
        scope = connection.execute(
            text("SELECT scope_id FROM repositories WHERE id = :id"), {"id": repository}
        ).scalar_one()
        alone = frees_alone(connection, repository, scope, set(tags.values()))
        together = report_of(connection, repository, set(tags))
    said = {group.tags[0]: group.freed_bytes for group in together.groups}

    for target in set(tags.values()):
        names = {name for name, other in tags.items() if other == target}
        _, _, freed_bytes = freed_by_deleting(database, repository, names)
        assert alone[target] == freed_bytes
        assert said[min(names)] == freed_bytes


@pytest.mark.parametrize("seed", seeds(400, 3, quick=1))
def test_entries_of_one_address_free_what_neither_of_them_holds(
    database: Database, seed: int
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    history = History(TwoEntries(database, scope="registry", rnd=rnd), rnd)

    for step in range(60):
        history.step()
        if step % 6:
            continue
        for repository in crawled(database):
            with database.read() as connection:
                tags = tags_of(connection, repository)
            compare(database, repository, {n for n in tags if rnd.random() < 0.5})


@pytest.mark.parametrize("seed", seeds(500, 3, quick=1))
def test_deleting_everything_frees_exactly_the_exclusive_and_moves_all_that_is_held(
    database: Database, seed: int
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    history = History(Fleet(database, scope="registry"), rnd)
    for _ in range(60):
        history.step()

    for repository in crawled(database):
        with database.read() as connection:
            tags = tags_of(connection, repository)
            totals = connection.execute(
                text(
                    "SELECT deduplicated_bytes FROM repository_summaries"
                    " WHERE repository_id = :id"
                ),
                {"id": repository},
            ).one()
        freed = compare(database, repository, set(tags))
        assert freed.freed_bytes + freed.elsewhere_bytes == totals.deduplicated_bytes
