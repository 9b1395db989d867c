"""The page of violations: by team, each with how much, why and since when."""

import pytest
from starlette.testclient import TestClient

from support.html import parse
from support.images import an_image, some_layers
from support.read_model import NOW
from support.store_world import World
from support.violations import Violations


@pytest.fixture
def made(world: World) -> Violations:
    world.crawl({"1.5": an_image(some_layers(4000, 96))})
    return Violations(world.database, NOW)


def text_of(html: str) -> str:
    return parse(html).text


def test_the_page_says_who_how_much_why_and_since_when(
    client: TestClient, world: World, made: Violations
) -> None:
    made.open(world.repository_id)
    made.open(
        world.repository_id,
        limit_key="max_growth",
        limit_amount=557_392_842,
        baseline_compressed_bytes=445_914_274,
    )
    made.open(
        world.repository_id,
        limit_key="max_deduplicated",
        platform="",
        tag=None,
        team=None,
        cause=None,
        is_silent=True,
    )

    html = client.get("/violations").text
    text = text_of(html)

    assert "3 open in 1 repository" in text
    assert "217 %" in text
    assert "+143 %" in text
    assert "1.08 GB over 446 MB" in text
    assert "+612 MB compressed, by a line that is new" in text
    assert "RUN pip install --no-cache-dir torch==1.13.1" in text
    assert text.index("shop 2 shown") < text.index("no team 1 shown")
    assert "not notified" in text
    assert 'href="/image?ref=hub/acme/app:1.5"' in html
    assert 'href="/repository?ref=hub/acme/app"' in html
    assert 'aria-current="page">Violations' in html


def test_before_the_first_crawl_the_page_says_that_nothing_is_known(
    client: TestClient,
) -> None:
    text = text_of(client.get("/violations").text)

    assert "Nothing is crawled yet, so it is not known what exceeds a limit." in text
    assert "exceeds its limit" not in text


def test_without_violations_the_page_says_so(client: TestClient, world: World) -> None:
    text = text_of(client.get("/violations").text)

    assert "Nothing exceeds its limit." in text
    assert "Nothing is waived." in text


def test_what_is_over_says_how_it_ended(
    client: TestClient, world: World, made: Violations
) -> None:
    made.close(made.open(world.repository_id))

    text = text_of(client.get("/violations?state=closed").text)

    assert "a later push keeps the limit" in text
    assert "There is none of these." in text_of(
        client.get("/violations?state=closed&severity=info").text
    )
