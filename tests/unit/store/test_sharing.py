"""What tags, repositories, projects and registries store, by class, against brute force
in random histories and by hand."""

import random
from collections.abc import Mapping

import pytest
from sqlalchemy import text

from support.brute_force import freed_by_deleting
from support.images import a_layer, an_artifact_of, an_image, an_index_of
from support.ledger_world import Fleet, History
from support.seeds import seeds
from support.store_world import World, a_result
from weighbridge.domain.reclaim.storage_split import (
    ClassBytes,
    StorageSplit,
    class_of_artifact,
)
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.reports.sharing import (
    REPOSITORY_MANIFESTS,
    split_of_project,
    split_of_repository,
    split_of_tags,
)
from weighbridge.store.session import Connection, Database

SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json"
CHART = "application/vnd.cncf.helm.config.v1+json"


def total(split: StorageSplit) -> ClassBytes:
    assert split.total is not None
    return split.total


def of_repository(
    world: World, most: int = REPOSITORY_MANIFESTS, **options: bool
) -> StorageSplit:
    with world.database.read() as connection:
        return split_of_repository(connection, world.report(), most=most, **options)


def of_tags(world: World, *names: str) -> StorageSplit:
    with world.database.read() as connection:
        return split_of_tags(connection, world.report(), names)


def of_project(world: World, project: str) -> StorageSplit:
    with world.database.read() as connection:
        return split_of_project(connection, "hub", project)


def test_every_class_has_its_own_bytes(world: World) -> None:
    image = an_image([a_layer("a", 1000)])
    signature = an_artifact_of(a_layer("s", 50), artifact_type=SIGNATURE)
    chart = an_artifact_of(a_layer("c", 70), artifact_type=CHART, role="artifact")
    world.crawl({"1": image, "1.sig": signature, "chart": chart})

    classes = of_repository(world).classes

    documents = image.manifest.manifest_bytes + image.manifest.config.content_bytes
    assert classes["images"] == ClassBytes(1000 + documents, 1000 + documents)
    # Both have the empty config, which counts where it comes first.
    assert classes["attestations"] == ClassBytes(50 + 500 + 2, 50 + 500 + 2)
    assert classes["artifacts"] == ClassBytes(70 + 500, 70 + 500)


@pytest.mark.parametrize(
    ("artifact_type", "expected"),
    [
        (SIGNATURE, "attestations"),
        ("application/vnd.in-toto+json", "attestations"),
        ("application/spdx+json", "attestations"),
        ("application/vnd.cncf.notary.signature", "attestations"),
        (CHART, "artifacts"),
        ("", "artifacts"),
    ],
)
def test_a_class_is_known_by_the_type_that_an_artifact_names(
    artifact_type: str, expected: str
) -> None:
    assert class_of_artifact(artifact_type) == expected


def test_a_foreign_layer_is_not_stored(world: World) -> None:
    world.crawl(
        {"1": an_image([a_layer("w", 10**9, is_foreign=True), a_layer("o", 5)])}
    )

    split = of_repository(world)

    assert total(split).stored_bytes < 10_000
    assert (split.manifests, split.blobs) == (1, 3)


def test_what_a_tag_shares_with_another_of_its_repository_is_not_its_own(
    world: World,
) -> None:
    base = a_layer("base", 1000)
    world.crawl(
        {
            "1": an_image([base, a_layer("one", 10)]),
            "2": an_image([base, a_layer("two", 20), a_layer("more", 3)]),
        }
    )

    one, both = of_tags(world, "1"), of_tags(world, "1", "2")

    assert total(one).shared_bytes == 1000
    assert total(both).shared_bytes == 0
    assert total(both) == total(of_repository(world))


def test_a_project_s_own_is_what_its_repositories_hold_and_nobody_else(
    world: World,
) -> None:
    shared, everybodys = a_layer("shared", 500), a_layer("base", 1000)
    image = an_image([shared, everybodys])
    World(world.database, repository="acme/other").crawl({"1": image})
    world.crawl({"1": image})
    World(world.database, repository="acmeland/x").crawl(
        {"1": an_image([everybodys, a_layer("x", 1), a_layer("y", 1)])}
    )

    acme, whole = of_project(world, "acme"), of_project(world, "")

    documents = image.manifest.manifest_bytes + image.manifest.config.content_bytes
    assert acme.repositories == 2
    assert total(acme) == ClassBytes(1500 + documents, 500 + documents)
    assert total(whole).shared_bytes == 0
    assert total(of_project(world, "acme/app")).exclusive_bytes == 0
    assert of_project(world, "acm").repositories == 0


def test_of_what_was_not_seen_whole_it_is_known_what_is_stored_alone(
    world: World,
) -> None:
    result = a_result(complete=False, state="partial", reason="timeout")
    world.crawl({"1": an_image([a_layer("a", 7)])}, result=result)

    for split in (of_repository(world), of_tags(world, "1"), of_project(world, "")):
        assert total(split).stored_bytes > 7
        assert total(split).exclusive_bytes is None
        assert total(split).shared_bytes is None
        assert split.reason is not None


def test_tags_that_are_left_out_are_a_reason(world: World) -> None:
    world.crawl({"1": an_image()})

    split = of_repository(world, leaves_tags_out=True)

    assert total(split).exclusive_bytes is None


def test_children_of_an_index_count_once(world: World) -> None:
    image = an_image([a_layer("a", 1000)])
    world.keep(image)
    index = an_index_of(image)
    world.crawl({"amd": image, "all": index, "again": index})

    split = of_repository(world)

    documents = image.manifest.manifest_bytes + image.manifest.config.content_bytes
    assert total(split).stored_bytes == 1000 + documents + index.manifest_bytes
    assert (split.manifests, split.blobs) == (2, 4)


@pytest.mark.parametrize("leaves_tags_out", [False, True])
def test_of_a_large_repository_all_is_told_but_not_the_classes(
    world: World, leaves_tags_out: bool
) -> None:
    tags = {f"{n}": an_image([a_layer(n, 1000)]) for n in range(3)}
    world.crawl(tags)
    settle_all(world.database)

    by_class = of_repository(world, leaves_tags_out=leaves_tags_out)
    large = of_repository(world, most=2, leaves_tags_out=leaves_tags_out)

    assert by_class.classes
    assert total(large) == total(by_class)
    assert (large.classes, large.manifests, large.blobs) == ({}, 3, None)
    assert ("more than 2 manifests" in (large.reason or "")) is not leaves_tags_out


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.slow
@pytest.mark.parametrize("scope", ["project", "registry", "repository"])
@pytest.mark.parametrize("seed", seeds(700, 3, quick=1))
def test_sharing_equals_brute_force_in_random_histories(
    database: Database, seed: int, scope: str
) -> None:
    """A repository's totals are those of the read model; a set of tags has what its
    deletion frees; the registry's own is all that it stores."""
    rnd = random.Random(seed)  # noqa: S311 - no secret
    history = History(Fleet(database, scope=scope), rnd)
    for _ in range(60):
        history.step()
    settle_all(database)
    with database.write() as connection:
        connection.execute(text("UPDATE repositories SET state = 'ok', held = NULL"))

    with database.read() as connection:
        stored = stored_by(connection)
        for name, (number, deduplicated, exclusive) in stored.items():
            report = find_repository(connection, "hub", name)
            assert report is not None
            split = split_of_repository(connection, report)
            assert total(split) == ClassBytes(deduplicated, exclusive)
            some = {tag for tag in (f"t{n}" for n in range(6)) if rnd.random() < 0.5}
            _, _, freed = freed_by_deleting(database, number, some)
            assert (
                total(split_of_tags(connection, report, some)).exclusive_bytes == freed
            )
        whole = total(split_of_project(connection, "hub", ""))
        assert whole.shared_bytes == 0
        assert (
            whole.stored_bytes
            == connection.execute(
                text("SELECT sum(deduplicated_bytes) FROM storage_scopes")
            ).scalar_one()
        )


def stored_by(connection: Connection) -> Mapping[str, tuple[int, int, int]]:
    rows = connection.execute(
        text(
            "SELECT name, id, deduplicated_bytes, exclusive_bytes FROM repositories"
            " JOIN repository_summaries ON repository_id = id"
            " WHERE deleted_at IS NULL"
        )
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}
