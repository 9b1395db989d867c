"""What slimmer bases would save, as series."""

import re

from support.slim_bases import MB, three_repositories
from weighbridge.domain.series_budget import (
    CORE_SERIES,
    EXPORTER_SERIES,
    REGISTRY_SERIES,
    Budget,
)
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.session import Database
from weighbridge.web.metrics.snapshot import take_snapshot


def series(database: Database, budget: Budget | None = None) -> dict[str, int]:
    """By the last of their labels, and what the series are of."""
    with database.read() as connection:
        text = take_snapshot(connection, budget or Budget(), 0.0).text.plain.decode()
    found = re.findall(
        r'^weighbridge_(\w+?)_(?:slimmer_base_)?saving_bytes\{.*?(\S+)="(.*)"\} (\d+)$',
        text,
        re.M,
    )
    return {f"{of} {name}": int(value) for of, _, name, value in found}


def test_repositories_registries_and_bases_have_what_could_be_saved(
    database: Database,
) -> None:
    """Nothing stands for those that could save nothing, or of which it is not known."""
    bases = three_repositories(database)
    assert series(database) == {}
    refresh_base_summaries(database, bases.world.now)

    assert series(database) == {
        "repository acme/a": 23 * MB,
        "repository acme/b": 319 * MB,
        "registry hub": 342 * MB,
        "base_image library/python:3.7": 319 * MB,
        "base_image library/debian:stretch": 23 * MB,
    }


def test_of_an_image_that_was_not_counted_there_is_no_series(
    database: Database,
) -> None:
    bases = three_repositories(database)
    refresh_base_summaries(database, bases.world.now)
    bases.world.crawl({"2": bases.child("thin", [])})

    assert "repository acme/a" not in series(database)
    assert series(database)["repository acme/b"] == 319 * MB


def test_the_series_of_repositories_are_the_first_to_go(database: Database) -> None:
    """There is room for what is core; the sum of a registry has its place."""
    bases = three_repositories(database)
    refresh_base_summaries(database, bases.world.now)
    room = EXPORTER_SERIES + REGISTRY_SERIES + 3 * CORE_SERIES

    tight = series(database, Budget(room, max_base_images=0))
    wide = series(database, Budget(room + 3, max_base_images=0))

    assert not any(name.startswith("repository") for name in tight)
    assert wide.keys() - tight.keys() == {"repository acme/a", "repository acme/b"}
    assert tight["registry hub"] == 342 * MB
