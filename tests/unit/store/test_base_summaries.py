"""What stands on each base: counted anew it is what one finds one by one."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import text

from support.images import a_layer, an_image, an_index_of
from support.known_bases import (
    KnownBases,
    counted_bases,
    random_bases,
    stand_somewhere,
    stored_bases,
)
from support.ledger_world import Fleet, History, TwoEntries
from support.seeds import seeds
from support.store_world import World
from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.domain.image.document import Document, Image
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.store.bases.builds_on_base import read_builds
from weighbridge.store.bases.marks import mark_bases
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.base_sweep import sweep_bases
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.session import Database


def _sum_up(fleet: Fleet) -> None:
    with fleet.database.write() as connection:
        for repository_id in fleet.ids.values():
            refresh_summary(connection, repository_id, fleet.now, [DEFAULT])


@pytest.mark.parametrize("scope", ["project", "registry", "repository"])
@pytest.mark.parametrize("seed", seeds(300, 4, quick=1))
def test_the_summary_equals_a_recount_after_any_history(
    database: Database, seed: int, scope: str
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    fleet = Fleet(database, scope=scope)
    history = History(fleet, rnd, upkeep=0.03)
    known = random_bases(database, rnd, fleet.now)

    for _ in range(5):
        for _ in range(6):
            history.step()
        settle_all(database)
        _sum_up(fleet)
        stand_somewhere(known, rnd)
        refresh_base_summaries(database, fleet.now)

        assert stored_bases(database) == counted_bases(database, fleet.now)
    assert refresh_base_summaries(database, fleet.now) == 0


@pytest.mark.long_on("postgresql")  # the first test has its statements
@pytest.mark.parametrize("seed", seeds(400, 4, quick=1))
def test_a_base_is_stored_once_in_the_scope_of_several_entries(
    database: Database, seed: int
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    fleet = TwoEntries(database, scope="registry", rnd=rnd)
    history = History(fleet, rnd)
    known = random_bases(database, rnd, fleet.now)
    for _ in range(30):
        history.step()
    settle_all(database)
    stand_somewhere(known, rnd)

    refresh_base_summaries(database, fleet.now)

    assert stored_bases(database) == counted_bases(database, fleet.now)


@pytest.mark.parametrize("seed", seeds(500, 4, quick=1))
def test_the_order_of_pushes_does_not_matter(database: Database, seed: int) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    fleet = Fleet(database)
    known = KnownBases(database, fleet.now)
    known.base("new", "library/debian:stretch", compressed_bytes=40)
    known.base(
        "old",
        "library/debian:stretch",
        compressed_bytes=50,
        left_at={"library/debian:stretch": fleet.now},
    )
    images = [an_image(layers=[a_layer(n, 100 * n)]) for n in range(1, 7)]
    fleet.keep(*images)
    for image in images[1:]:
        known.stands_on(image.digest, rnd.choice(("new", "old")))
    pushes = [
        (name, tag, image)
        for tag, image in enumerate(images)
        for name in rnd.sample(list(fleet.names), 2)
    ]
    found = []

    for _ in range(3):
        rnd.shuffle(pushes)
        for name, tag, image in pushes:
            fleet.push(name, **{f"t{tag}": image})
        refresh_base_summaries(database, fleet.now)
        found.append(stored_bases(database))
        for name in fleet.names:
            gone: dict[str, Document | None] = {f"t{n}": None for n in range(9)}
            fleet.push(name, **gone)
        refresh_base_summaries(database, fleet.now)
        assert stored_bases(database) == {}

    assert found[0] == found[1] == found[2]
    assert found[0]["library/debian:stretch"]["images"] == 5


def test_a_base_moves_and_what_stands_on_it_is_outdated(world: World) -> None:
    known = KnownBases(world.database, world.now)
    old = known.base("old", "library/debian:stretch", compressed_bytes=400)
    image = an_image(layers=[a_layer("base", 400), a_layer("own", 600)])
    world.crawl({"1.0": image})
    known.stands_on(image.digest, "old")
    refresh_base_summaries(world.database, world.now)
    before = stored_bases(world.database)["library/debian:stretch"]
    moved_at = world.now + timedelta(days=1)

    with world.database.write() as connection:
        connection.execute(
            text("UPDATE base_names SET left_at = :at"),
            {"at": int(moved_at.timestamp() * 1_000_000)},
        )
    new = known.base("new", "library/debian:stretch", compressed_bytes=500)
    refresh_base_summaries(world.database, world.now)
    after = stored_bases(world.database)["library/debian:stretch"]

    assert before["state"] == "current"
    assert after == before | {
        "state": "outdated",
        "outdated_since": moved_at,
        "outdated": 1,
        "outdated_newest": 1,
    }
    with world.database.read() as connection:
        row = connection.execute(text("SELECT * FROM base_summaries")).one()
    assert row.base_chain_id == new
    assert [(b.chain, b.state) for b in read_builds(row.builds)] == [(old, "outdated")]


def test_a_name_that_leads_nowhere_is_gone_and_not_outdated(world: World) -> None:
    known = KnownBases(world.database, world.now)
    tag = "library/debian:stretch"
    known.base("old", tag, left_at={tag: world.now}, platform="linux/arm64")
    known.base("of another platform", tag)
    image = an_image()
    world.crawl({"1.0": image})
    known.stands_on(image.digest, "old")

    refresh_base_summaries(world.database, world.now)

    found = stored_bases(world.database)[tag]
    assert (found["state"], found["outdated"]) == ("deleted", 0)


def test_what_an_annotation_alone_says_is_in_no_number_but_its_own(
    world: World,
) -> None:
    known = KnownBases(world.database, world.now)
    known.base("debian", "library/debian:stretch")
    honest = an_image(layers=[a_layer("base", 1000), a_layer("own", 500)])
    liar = an_image(layers=[a_layer("huge", 2**62)])
    world.crawl({"1.0": honest, "2.0": liar})
    known.stands_on(honest.digest, "debian")
    known.stands_on(liar.digest, None, reference="docker.io/library/debian:stretch")

    refresh_base_summaries(world.database, world.now)

    found = stored_bases(world.database)["library/debian:stretch"]
    assert (found["images"], found["claimed"]) == (1, 1)
    assert (found["weighed_bytes"], found["own_bytes"]) == (1500, 500)


def test_a_base_that_is_not_crawled_is_unknown(world: World) -> None:
    known = KnownBases(world.database, world.now)
    image = an_image()
    world.crawl({"1.0": image})
    known.stands_on(image.digest, None, reference="cgr.dev/chainguard/python:latest")

    refresh_base_summaries(world.database, world.now)

    assert stored_bases(world.database) == {
        "cgr.dev/chainguard/python:latest": {
            "state": "unknown",
            "images": 0,
            "claimed": 1,
        }
    }


def test_the_registrys_word_on_a_size_counts_and_not_the_manifests(
    world: World,
) -> None:
    known = KnownBases(world.database, world.now)
    known.base("debian", "library/debian:stretch", compressed_bytes=400)
    image = an_image(layers=[a_layer("base", 400), a_layer("own", 10**12)])
    world.crawl({"1.0": image})
    known.stands_on(image.digest, "debian")
    with world.database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO manifest_sizes (scope_id, manifest_id, stored_bytes,"
                " compressed_bytes, is_whole, is_changed)"
                " SELECT :scope, image_id, 1000, 1000, true, true FROM image_bases"
            ),
            {"scope": world.scope_id},
        )

    refresh_base_summaries(world.database, world.now)

    found = stored_bases(world.database)["library/debian:stretch"]
    assert (found["weighed_bytes"], found["own_bytes"]) == (1000, 600)


def test_images_of_every_platform_of_an_index_count(world: World) -> None:
    known = KnownBases(world.database, world.now)
    known.base("amd64", "library/debian:stretch")
    known.base("arm64", "library/debian:stretch", platform="linux/arm64")
    amd64, arm64 = (an_image(layers=[a_layer(n)]) for n in ("amd64", "arm64"))
    world.keep(amd64, arm64)
    world.crawl({"1.0": an_index_of(amd64, arm64), "again": amd64})
    known.stands_on(amd64.digest, "amd64")
    known.stands_on(arm64.digest, "arm64")

    refresh_base_summaries(world.database, world.now)

    found = stored_bases(world.database)["library/debian:stretch"]
    assert (found["images"], found["builds"], found["repositories"]) == (2, 2, 1)


def test_crawls_alone_show_that_a_base_was_rebuilt_and_what_followed(
    database: Database,
) -> None:
    debian, app = World(database, repository="library/debian"), World(database)
    with database.write() as connection:
        place = BasePlace("library/debian", "docker.io", "library/debian")
        mark_bases(connection, "hub", [place])
    before, after = (an_image([a_layer(name, 4000)]) for name in ("old", "new"))

    def on(base: Image, tag: str) -> Image:
        return an_image([*base.layers, a_layer(tag, 600)])

    def counted() -> dict[str, object]:
        app.now = debian.now = max(app.now, debian.now)
        sweep_bases(database, app.now)
        refresh_base_summaries(database, app.now)
        return stored_bases(database)["library/debian:stretch"]

    debian.crawl({"stretch": before})
    app.crawl({"1.0": on(before, "1.0")})
    current = counted()
    debian.crawl({"stretch": after})
    moved_at = debian.now
    outdated = counted()
    app.crawl({"1.1": on(after, "1.1"), "latest": on(after, "1.1")})
    rebuilt = counted()
    debian.crawl({}, deleted=["stretch"])
    deleted = counted()

    keys = ("state", "outdated", "outdated_newest", "images", "own_bytes")
    assert [current[key] for key in keys] == ["current", 0, 0, 1, 600]
    assert [outdated[key] for key in keys] == ["outdated", 1, 1, 1, 600]
    assert outdated["outdated_since"] == moved_at
    assert [rebuilt[key] for key in keys] == ["outdated", 1, 0, 2, 1200]
    assert [deleted[key] for key in keys] == ["deleted", 0, 0, 2, 1200]


def test_of_a_base_that_nobody_crawls_any_more_it_is_unknown_where_it_leads(
    database: Database,
) -> None:
    """What was replaced before that stays outdated."""
    debian, app = World(database, repository="library/debian"), World(database)
    place = BasePlace("library/debian", "docker.io", "library/debian")
    before, after = (an_image([a_layer(name, 4000)]) for name in ("old", "new"))

    def counted(*bases: BasePlace) -> dict[str, object]:
        with database.write() as connection:
            mark_bases(connection, "hub", bases)
        app.now = debian.now = max(app.now, debian.now)
        sweep_bases(database, app.now)
        refresh_base_summaries(database, app.now)
        return stored_bases(database)["library/debian:stretch"]

    debian.crawl({"stretch": before})
    app.crawl({"1.0": an_image([*before.layers, a_layer("1.0", 600)])})
    found = [counted(place), counted(), counted(place)]
    debian.crawl({"stretch": after})
    found += [counted(place), counted()]
    debian.crawl({}, deleted=["stretch"])
    found += [counted(), counted(place)]

    assert [(row["state"], row["images"]) for row in found] == [
        ("current", 1),
        ("unknown", 1),
        ("current", 1),
        ("outdated", 1),
        ("outdated", 1),
        ("outdated", 1),
        ("deleted", 1),
    ]
