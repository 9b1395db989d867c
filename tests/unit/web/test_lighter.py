"""What would make an image lighter, in the API and on the page."""

import pytest
from starlette.testclient import TestClient

from support.html import parse
from support.images import a_digest, a_layer, an_image
from support.store_world import World
from weighbridge.domain.image.document import Image, Line

MB = 1_000_000
CHOWN = "RUN chown -R app:app /srv/app"
MARKUP = "RUN apt-get update && echo '<script>alert(1)</script>'"

pytestmark = pytest.mark.slow


def chowned(build: int = 0, *, first: str = "COPY app /srv/app") -> Image:
    layers = [
        a_layer("root", 30 * MB),
        a_layer(("app", build), 60 * MB),
        a_layer(("again", build), 60 * MB + 100),
    ]
    texts = ["ADD root.tar /", first, CHOWN]
    lines = [Line(text, None, number) for number, text in enumerate(texts)]
    return an_image(layers, lines=lines)


def advice_of(client: TestClient, tag: str) -> list[dict[str, object]]:
    (image,) = client.get(f"/api/v1/image?ref=hub/acme/app:{tag}").json()["images"]
    found: list[dict[str, object]] = image["advice"]
    return found


def test_the_api_says_what_would_make_an_image_lighter(
    world: World, client: TestClient
) -> None:
    world.keep(chowned())
    world.crawl({"1": chowned()})

    (advice,) = advice_of(client, "1")

    assert advice["code"] == "written_twice"
    assert (advice["saved_bytes"], advice["is_estimate"]) == (60 * MB + 100, False)
    assert advice["evidence"] == [
        {
            "line": 3,
            "layer": 2,
            "digest": a_digest(("again", 0)),
            "instruction": CHOWN,
            "compressed_bytes": 60 * MB + 100,
        },
        {
            "line": 2,
            "layer": 1,
            "digest": a_digest(("app", 0)),
            "instruction": "COPY app /srv/app",
            "compressed_bytes": 60 * MB,
        },
    ]


def test_the_api_knows_the_other_builds_of_a_commit(
    world: World, client: TestClient
) -> None:
    builds = [chowned(number) for number in range(3)]
    world.keep(*builds)
    world.crawl({f"main-3f2a91c-{n}": build for n, build in enumerate(builds)})

    codes = [advice["code"] for advice in advice_of(client, "main-3f2a91c-1")]

    assert codes == ["written_twice", "commit_tags"]


def test_the_page_leads_to_the_lines_and_escapes_what_they_say(
    world: World, client: TestClient
) -> None:
    world.keep(chowned(first=MARKUP))
    world.crawl({"1": chowned(first=MARKUP)})

    answer = client.get("/image?ref=hub/acme/app:1")

    assert "<script>alert" not in answer.text
    page = parse(answer.text)
    twice, lists = page.one("ul", "advice").all("li")
    assert twice.amounts()[0] == 60 * MB + 100
    assert [a.attributes["href"] for a in twice.all("a")] == ["#l3", "#l2"]
    assert lists.amounts()[0] == 8 * MB
    assert "Estimate" in lists.text
    assert all(page.by_id(name) for name in ("l2", "l3"))


def test_the_page_of_an_image_without_advice_has_no_place_for_it(
    world: World, client: TestClient
) -> None:
    plain = an_image([a_layer("root", 30 * MB)])
    world.keep(plain)
    world.crawl({"1": plain})

    answer = client.get("/image?ref=hub/acme/app:1")

    assert answer.status_code == 200
    assert "What would make it lighter" not in answer.text
