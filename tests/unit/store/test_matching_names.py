"""Whether patterns of names match anything that is known."""

import pytest

from support.images import an_image
from support.store_world import World
from weighbridge.domain.policy.policy import Match
from weighbridge.store.reports.search import matches_anything


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (Match("hub", "acme/app"), True),
        (Match("h*", "*app"), True),
        (Match("hub", "acme/*", "1.4-Slim"), True),
        (Match("*", "*", "*-Slim"), True),
        (Match("hub", "acme/ap"), False),
        (Match("other", "*"), False),
        (Match("other*", "*", "1.4-Slim"), False),
        (Match("hub", "acme/app", "1.4"), False),
        # No letter stands for another one, and nothing but a star for any text.
        (Match("hub", "acme/app", "*-slim"), False),
        (Match("hub", "acme/app", "1_4*"), False),
        (Match("hub", "acme/app", "gone"), False),
    ],
)
def test_names_match_where_stars_can_be_filled(
    world: World, match: Match, expected: bool
) -> None:
    world.crawl({"1.4-Slim": an_image(), "gone": an_image()})
    world.crawl(deleted=["gone"])

    with world.database.read() as connection:
        assert matches_anything(connection, match) is expected


def test_nothing_is_known_of_an_empty_repository_but_its_name(world: World) -> None:
    with world.database.read() as connection:
        assert matches_anything(connection, Match("hub", "acme/app"))
        assert not matches_anything(connection, Match("hub", "acme/app", "*a"))
