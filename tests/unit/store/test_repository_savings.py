"""Which repositories a slimmer base would save most."""

import json
from datetime import timedelta

from sqlalchemy import select, update

from support.images import a_layer, an_image
from support.slim_bases import MB, SlimBases, three_repositories
from support.statements import counted
from support.store_world import World
from support.violations import Violations
from weighbridge.cli.actions.top_savings import printed
from weighbridge.domain.report.repository_saving import SavingReport
from weighbridge.notify.render.content import slimmer_of
from weighbridge.presentation.forms.screen import Screen
from weighbridge.store.models import repository_summaries, violations
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.reports.bases import BaseQuery, base_page
from weighbridge.store.reports.inventory import snapshot_version
from weighbridge.store.reports.repository_savings import repositories_by_saving
from weighbridge.store.reports.violations import read_notices
from weighbridge.store.session import Database


def report(bases: SlimBases, *, limit: int = 20, registry: str = "hub") -> SavingReport:
    refresh_base_summaries(bases.world.database, bases.world.now)
    return shown(bases, limit=limit, registry=registry)


def shown(bases: SlimBases, *, limit: int = 20, registry: str = "hub") -> SavingReport:
    with bases.world.database.read() as connection:
        return repositories_by_saving(connection, limit=limit, registry=registry)


def test_what_saves_most_comes_first_by_its_best_variant(database: Database) -> None:
    found = report(three_repositories(database))

    assert [(r.repository, r.variant, r.saved_bytes) for r in found.rows] == [
        ("acme/b", "library/python:3.7-alpine", 319 * MB),
        ("acme/a", "library/debian:stretch-slim", 23 * MB),
    ]
    assert (found.repositories, found.saved_bytes) == (2, 342 * MB)
    first = found.rows[0]
    assert (first.registry, first.newest_tag) == ("hub", "1")
    assert first.newest_compressed_bytes == 360 * MB
    assert first.patch == "-FROM python:3.7\n+FROM python:3.7-alpine"


def test_the_sum_is_of_all_repositories_whatever_is_shown(database: Database) -> None:
    found = report(three_repositories(database), limit=1)

    assert [row.repository for row in found.rows] == ["acme/b"]
    assert (found.repositories, found.saved_bytes) == (2, 342 * MB)


def test_a_repository_of_bases_is_read_once(database: Database) -> None:
    """However many bases of it are stood on."""
    bases = three_repositories(database)
    report(bases)
    with counted() as before:
        report(bases)
    world = World(database, repository="acme/d")
    bases.base("old", [a_layer("old", 300 * MB)], "library/python:3.6")
    world.crawl({"1": bases.child("old", [a_layer("d", MB)])})
    report(bases)
    with counted() as after:
        report(bases)

    assert len(after) == len(before)


def test_another_registry_has_others(database: Database) -> None:
    bases = three_repositories(database)
    World(database, registry="other", repository="acme/a")

    assert report(bases, registry="other") == SavingReport((), 0, 0)


def test_a_repository_that_is_gone_is_not_listed(database: Database) -> None:
    bases = three_repositories(database)
    bases.world.crawl(deleted=["1"])

    assert [row.repository for row in report(bases).rows] == ["acme/b"]


def test_a_terminal_shows_base_and_variant(database: Database) -> None:
    found = report(three_repositories(database))

    assert printed(found, "table", Screen(width=120)).splitlines() == [
        "    SAVES  COMPRESSED",
        "       MB          MB                REPOSITORY  TAG  BASE            VARIANT",
        "    319.0       360.0  ████████████  hub/acme/b  1    python:3.7      "
        "python:3.7-alpine",
        "     23.0        55.0  ▉             hub/acme/a  1    debian:stretch  "
        "debian:stretch-slim",
        "",
        "  2 repositories could save 342 MB of one pull of each newest image",
        "  measured: what the base weighs more than its variant, compressed; see "
        "weighbridge inspect, or the image's page, for",
        "what to check first",
    ]


def test_json_has_the_sum_beside_the_rows(database: Database) -> None:
    document = json.loads(
        printed(report(three_repositories(database)), "json", Screen())
    )

    assert (document["repositories"], document["saved_bytes"]) == (2, 342 * MB)
    assert [row["kind"] for row in document["items"]] == ["alpine", "slim"]
    assert document["items"][0].keys() == {
        "registry",
        "repository",
        "newest_tag",
        "newest_platform",
        "newest_compressed_bytes",
        "base",
        "base_compressed_bytes",
        "kind",
        "variant",
        "variant_compressed_bytes",
        "saved_bytes",
        "patch",
        "caution",
    }


def test_where_nothing_is_known_it_says_what_to_do() -> None:
    text = printed(SavingReport((), 0, 0), "table", Screen())

    assert "bases.repositories" in text


def test_an_image_that_has_become_the_newest_since_is_not_the_one_counted(
    database: Database,
) -> None:
    bases = three_repositories(database)
    report(bases)
    world = World(database, repository="acme/b")
    world.crawl({"2": bases.child("slim", [a_layer("new", MB)])})

    assert [row.repository for row in shown(bases).rows] == ["acme/a"]
    assert [(r.repository, r.saved_bytes) for r in report(bases).rows] == [
        ("acme/a", 23 * MB),
        ("acme/b", 19 * MB),
    ]


def test_lines_that_anybody_may_write_save_nothing(database: Database) -> None:
    """An image whose lines are those of a heavy base need not have its layers."""
    bases = three_repositories(database)
    liar = World(database, repository="acme/liar")
    image = an_image([a_layer("small", MB)])
    liar.crawl({"1": image})
    bases.known.stands_on(image.digest, "full", found_by="history")

    assert "acme/liar" not in {row.repository for row in report(bases).rows}


def test_a_base_says_what_its_newest_images_would_save(database: Database) -> None:
    """Each repository once, and nothing of a base without a lighter variant."""
    bases = three_repositories(database)
    more = World(database, repository="acme/d")
    more.crawl({"1": bases.child("full", [a_layer("d", MB)])})
    report(bases)

    with database.read() as connection:
        found = base_page(connection, BaseQuery(sort="saved"))
    assert [(each.reference, each.saved_bytes) for each in found.items] == [
        ("library/python:3.7", 2 * 319 * MB),
        ("library/debian:stretch", 23 * MB),
        ("library/python:3.7-alpine", None),
    ]


def test_whoever_keeps_what_is_shown_hears_of_another_saving(
    database: Database,
) -> None:
    """Two repositories change places: the numbers of each base stay what they were."""
    bases = three_repositories(database)
    report(bases)
    for name, build in (("a", "full"), ("b", "stretch")):
        world = World(database, repository=f"acme/{name}")
        world.crawl({"1": bases.child(build, [a_layer(f"new {name}", 10 * MB)])})
    with database.read() as connection:
        before = snapshot_version(connection)
    bases.world.now += timedelta(minutes=1)
    report(bases)

    with database.read() as connection:
        assert snapshot_version(connection) != before
    assert [row.repository for row in shown(bases).rows] == ["acme/a", "acme/b"]


def test_a_message_about_size_names_the_variant_that_saves_most(
    database: Database,
) -> None:
    bases = three_repositories(database)
    report(bases)
    opened = Violations(database, bases.world.now).open(bases.world.repository_id)
    with database.write() as connection:
        newest = select(repository_summaries.c.newest_image_id).where(
            repository_summaries.c.repository_id == bases.world.repository_id
        )
        connection.execute(update(violations).values(image_id=newest.scalar_subquery()))
    with database.read() as connection:
        (told,) = read_notices(connection, [(opened, "opened")], 1)
        (ended,) = read_notices(connection, [(opened, "resolved")], 1)

    assert [fact.value for fact in slimmer_of(told)] == [
        "FROM debian:stretch-slim in place of debian:stretch: 23.0 MB less"
    ]
    assert slimmer_of(ended) == []
