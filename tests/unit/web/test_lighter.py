"""What would make an image lighter, in the API and on the page."""

import pytest
from starlette.testclient import TestClient

from support.html import parse
from support.images import a_digest, a_layer, an_image
from support.slim_bases import SlimBases
from support.store_world import World
from weighbridge.domain.image.document import Image, Line
from weighbridge.store.read_model.base_summaries import refresh_base_summaries

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


def python_bases(world: World) -> SlimBases:
    """The bases of `python:3.7-rc` in January 2018."""
    bases = SlimBases(world)
    buildpack = [a_layer("debian", 45_121_631), a_layer("buildpack", 277_000_000)]
    bases.base("buildpack", buildpack, "library/buildpack-deps:stretch")
    python = [*buildpack, a_layer("python", 28_478_369)]
    bases.base("full", python, "library/python:3.7-rc", "library/python:3.7.0a4")
    bases.base("slim", [a_layer("slim", 50 * MB)], "library/python:3.7-rc-slim")
    bases.base("alpine", [a_layer("alpine", 31 * MB)], "library/python:3.7-rc-alpine")
    bases.known.stands_on(bases.images["full"].digest, "buildpack")
    return bases


def savings_of(client: TestClient, tag: str) -> list[dict[str, object]]:
    (image,) = client.get(f"/api/v1/image?ref=hub/acme/app:{tag}").json()["images"]
    found: list[dict[str, object]] = image["savings"]
    return found


def test_the_api_says_what_slimmer_bases_save(world: World, client: TestClient) -> None:
    bases = python_bases(world)
    world.crawl({"1": bases.child("full", [a_layer("own", 14 * MB)])})

    alpine, slim = savings_of(client, "1")

    assert alpine["saved_bytes"] == 350_600_000 - 31 * MB
    assert slim["saved_bytes"] == 350_600_000 - 50 * MB
    assert slim["patch"] == "-FROM python:3.7-rc\n+FROM python:3.7-rc-slim"
    assert "musl" in str(alpine["caution"])
    fleet = {"images": 1, "repositories": 1, "stored_bytes": 350_600_000 - 50 * MB}
    assert slim["fleet"] == fleet


def test_an_image_that_is_a_base_has_its_own_variants(
    world: World, client: TestClient
) -> None:
    bases = python_bases(world)
    world.crawl({"3.7.0a4": bases.images["full"]})

    found = savings_of(client, "3.7.0a4")

    assert [saving["variant"] for saving in found] == [
        "library/python:3.7-rc-alpine",
        "library/python:3.7-rc-slim",
    ]
    assert all(saving["base"] == "library/python:3.7-rc" for saving in found)


def test_of_an_image_without_a_known_base_savings_are_null(
    world: World, client: TestClient
) -> None:
    python_bases(world)
    world.crawl({"1": chowned()})

    (image,) = client.get("/api/v1/image?ref=hub/acme/app:1").json()["images"]

    assert image["savings"] is None


def test_advice_leaves_the_lines_of_a_known_base_alone(
    world: World, client: TestClient
) -> None:
    base = chowned()
    bases = SlimBases(world)
    bases.base("chowned", base.layers, "library/chowned:1")
    child = chowned()
    lines = [*child.lines, Line("COPY . /srv", None, 3)]
    child = an_image([*base.layers, a_layer("own", 90 * MB)], lines=lines)
    world.keep(child)
    bases.known.stands_on(child.digest, "chowned")
    world.crawl({"1": child})

    assert [advice["code"] for advice in advice_of(client, "1")] == ["large_copy"]


def test_the_page_shows_each_variant_with_its_patch(
    world: World, client: TestClient
) -> None:
    bases = python_bases(world)
    world.crawl({"1": bases.child("full", [a_layer("own", 14 * MB)])})

    page = parse(client.get("/image?ref=hub/acme/app:1").text)

    alpine, slim = page.one("ul", "advice").all("li")
    assert alpine.amounts()[0] == 350_600_000 - 31 * MB
    assert "Caution: it has musl" in alpine.text
    assert "-FROM python:3.7-rc" in slim.one("pre", "code").text
    assert "1 image in 1 repository stands on this base" in slim.text


def test_the_base_itself_says_what_its_variants_save(
    world: World, client: TestClient
) -> None:
    bases = python_bases(world)
    world.crawl({"1": bases.child("full", [a_layer("own", 14 * MB)])})
    refresh_base_summaries(world.database, world.now)

    answer = client.get("/api/v1/base?ref=python:3.7-rc").json()
    page = parse(client.get("/base?ref=python:3.7-rc").text)

    alpine, slim = answer["savings"]
    assert alpine["saved_bytes"] == 350_600_000 - 31 * MB
    assert slim["fleet"]["stored_bytes"] == 350_600_000 - 50 * MB
    shown = [item.amounts()[0] for item in page.one("ul", "advice").all("li")]
    assert shown == [alpine["saved_bytes"], slim["saved_bytes"]]
