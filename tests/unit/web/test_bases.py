"""Bases by API, page and CSV: what stands on each, and the images on one."""

import csv
import io

import pytest
from starlette.testclient import TestClient

from support.html import parse
from support.images import a_layer, an_image
from support.known_bases import KnownBases, a_fleet_on_bases
from support.slim_bases import MB, three_repositories
from support.store_world import T0, World
from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.presentation.rows.base_rows import BASE_COLUMNS, BASE_IMAGE_COLUMNS
from weighbridge.store.bases.readings import BaseReading, note_reading, plan_readings
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.session import Database

PYTHON = "library/python:3.7"
HTML = {"accept": "text/html"}


@pytest.fixture
def known(database: Database) -> KnownBases:
    return a_fleet_on_bases(database)


@pytest.mark.usefixtures("known")
def test_the_list_has_a_row_for_each_base(client: TestClient) -> None:
    answer = client.get("/api/v1/bases").json()

    first, second, third = answer["items"]
    assert answer["next_cursor"] is None
    assert tuple(first) == BASE_COLUMNS
    assert (
        first
        | {
            "reference": PYTHON,
            "state": "outdated",
            "outdated_since": "2026-03-03T12:00:00Z",
            "images": 3,
            "outdated_repositories": 1,
            "own_bytes": 1_200_000_000,
        }
        == first
    )
    assert second["state"] == "deleted"
    assert (third["state"], third["claimed_images"]) == ("unknown", 1)
    assert third["own_bytes"] is third["compressed_bytes"] is third["share"] is None


@pytest.mark.usefixtures("known")
def test_pages_of_one_row_make_the_whole_list(client: TestClient) -> None:
    whole = client.get("/api/v1/bases").json()["items"]
    found = []
    cursor = ""
    while True:
        page = client.get(f"/api/v1/bases?limit=1{cursor}").json()
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert found == whole


@pytest.mark.usefixtures("known")
def test_one_base_has_the_images_on_it(client: TestClient) -> None:
    answer = client.get("/api/v1/base?ref=python:3.7.9&limit=2").json()
    rest = client.get(f"/api/v1/base?ref={PYTHON}&cursor={answer['next_cursor']}")

    assert answer["base"]["reference"] == PYTHON
    assert tuple(answer["items"][0]) == BASE_IMAGE_COLUMNS
    assert [row["base_state"] for row in answer["items"]] == ["outdated", "outdated"]
    assert [row["tags"] for row in rest.json()["items"]] == [["1.1", "latest"]]
    assert rest.json()["next_cursor"] is None


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("path", ["/api/v1/base", "/base", "/base.json", "/base.csv"])
def test_an_unknown_base_is_404_with_the_nearest_names(
    client: TestClient, path: str
) -> None:
    answer = client.get(f"{path}?ref=pyhton:3.7")

    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "base_not_found"
    assert error["detail"]["nearest"][0] == PYTHON


@pytest.mark.usefixtures("known")
def test_the_page_has_what_its_json_has(client: TestClient) -> None:
    page = parse(client.get("/bases?show=images&sort=weighed", headers=HTML).text)
    rows = client.get("/bases.json").json()["items"]

    assert client.get("/bases.json").json() == client.get("/api/v1/bases").json()
    text = page.text
    for row in rows:
        assert row["reference"].removeprefix("library/") in text
    sizes = {row[key] for row in rows for key in ("weighed_bytes", "own_bytes")}
    assert sizes - {None, 0} <= set(page.amounts())


@pytest.mark.usefixtures("known")
def test_the_parts_of_a_bar_are_those_of_its_row(client: TestClient) -> None:
    page = parse(client.get("/bases?show=images&sort=weighed", headers=HTML).text)

    table = page.all("tbody")[0]
    row = table.all("tr")[0]
    widths = [float(r.attributes["width"].rstrip("%")) for r in row.all("rect")]
    assert widths == [pytest.approx(43.4), pytest.approx(56.6)]
    assert sum(widths) == pytest.approx(100)


@pytest.mark.usefixtures("known")
def test_the_page_of_one_base_says_what_is_to_be_rebuilt(client: TestClient) -> None:
    text = parse(client.get("/base?ref=python:3.7", headers=HTML).text).text

    assert "2 images in all, and the newest of 1 repository" in " ".join(text.split())
    assert "shop/cart" in text


@pytest.mark.usefixtures("known")
def test_csv_has_the_rows_of_the_api(client: TestClient) -> None:
    bases = list(csv.DictReader(io.StringIO(client.get("/bases.csv").text)))
    images = csv.DictReader(io.StringIO(client.get("/base.csv?ref=python:3.7").text))

    assert tuple(bases[0]) == BASE_COLUMNS
    assert [row["tags"] for row in images] == ["1.0", "6.3.0", "1.1 latest"]


def test_a_page_without_a_crawl_leads_to_how_to_begin(client: TestClient) -> None:
    text = parse(client.get("/bases", headers=HTML).text).text

    assert "Nothing is crawled yet" in text


def test_a_page_without_a_base_says_what_to_write(
    world: World, client: TestClient
) -> None:
    world.crawl({"1": an_image()})

    text = parse(client.get("/bases", headers=HTML).text).text

    assert "repositories: [python, debian" in text


def test_a_strangers_name_of_a_base_is_text_and_no_markup(
    world: World, client: TestClient
) -> None:
    known = KnownBases(world.database, world.now)
    image = an_image()
    world.crawl({"1": image})
    name = '<script>alert(1)</script>"&x=1'
    known.stands_on(image.digest, None, reference=name)
    refresh_base_summaries(world.database, world.now)

    html = client.get("/bases", headers=HTML).text
    links = [a.attributes["href"] for a in parse(html).all("a")]
    of_base = next(link for link in links if link.startswith("/base?"))

    assert "<script>alert" not in html
    assert client.get(of_base).status_code == 200


def test_of_a_base_that_is_not_crawled_any_more_its_images_are_shown(
    world: World, client: TestClient
) -> None:
    known = KnownBases(world.database, world.now)
    known.base("debian", "library/debian:9", compressed_bytes=100, is_crawled=False)
    image = an_image([a_layer("app", 5_000_000)])
    world.crawl({"1": image})
    known.stands_on(image.digest, "debian")
    refresh_base_summaries(world.database, world.now)

    shown = client.get("/bases?show=images", headers=HTML).text
    (row,) = parse(shown).all("tbody")[0].all("tr")
    page = client.get("/base?ref=debian:9", headers=HTML).text
    (of_image,) = parse(page).all("tbody")[0].all("tr")

    assert "not crawled" in row.text
    assert 5_000_000 in row.amounts()
    assert "not crawled" in of_image.text
    assert "current" not in of_image.text
    assert "that is all that is known" not in page


@pytest.mark.usefixtures("known")
def test_it_is_said_how_far_bases_are_read(
    database: Database, client: TestClient
) -> None:
    node = BasePlace("library/node", "docker.io", "library/node")
    ruby = BasePlace("library/ruby", "docker.io", "library/ruby")
    hostile = BaseReading("hub", "name_unknown", "<b>no repository</b>")
    with database.write() as connection:
        plan_readings(connection, {"hub": [node, ruby]}, is_all=True)
        note_reading(connection, ruby, BaseReading("hub", "", "", 4, 4), T0)
        note_reading(connection, node, hostile, T0)

    seeding = client.get("/api/v1/bases").json()["seeding"]
    shown = client.get("/bases", headers=HTML).text

    assert (seeding["repositories"], seeding["read"]) == (2, 1)
    assert (seeding["tags_wanted"], seeding["tags_read"]) == (None, 4)
    assert [each["reference"] for each in seeding["failing"]] == ["library/node"]
    assert "1 of 2 repositories of bases is read" in shown
    assert "&lt;b&gt;no repository&lt;/b&gt;" in shown


@pytest.mark.usefixtures("known")
def test_the_page_of_an_image_leads_to_its_base(client: TestClient) -> None:
    page = parse(client.get("/image?ref=hub/shop/cart:6.3.0", headers=HTML).text)

    (link,) = {
        a.attributes["href"]
        for a in page.all("a")
        if a.attributes["href"].startswith("/bases?")
    }
    rows = parse(client.get(link, headers=HTML).text).all("tbody")[0].all("tr")

    assert len(rows) == 1
    assert "python:3.7" in rows[0].text


def test_the_page_of_a_base_has_its_slimmer_variants(
    known: KnownBases, client: TestClient
) -> None:
    known.base("slim", "library/python:3.7-slim", compressed_bytes=46_000_000)
    known.base("heavy", "library/python:3.7-alpine", compressed_bytes=400_000_000)

    page = parse(client.get("/base?ref=python:3.7", headers=HTML).text)

    (item,) = page.one("ul", "advice").all("li")
    assert "FROM python:3.7-slim in place of python:3.7" in item.text
    saved = 320_000_000 - 46_000_000
    # Both repositories' newest images stand on it.
    assert item.amounts() == [saved, 46_000_000, 320_000_000, 2 * saved]
    assert "-FROM python:3.7\n+FROM python:3.7-slim" in client.get(
        "/base?ref=python:3.7", headers=HTML
    ).text.replace("&#43;", "+")


def test_the_page_of_bases_has_what_slimmer_variants_save(
    database: Database, client: TestClient
) -> None:
    bases = three_repositories(database)
    bases.base("cuda", [a_layer("cuda", 600 * MB)], "acme/cuda:12.8")
    for name, build in (("d", "cuda"), ("e", "slim"), ("f", "thin")):
        place = World(database, repository=f"acme/{name}")
        place.crawl({"1": bases.child(build, [a_layer(name, 7 * MB)])})
    image = an_image([a_layer("alone", MB)])
    bases.world.crawl({"2": image})
    bases.known.stands_on(image.digest, None, reference="docker.io/acme/odd:1")
    refresh_base_summaries(database, bases.world.now)

    page = parse(client.get("/bases", headers=HTML).text)

    rows = {row.one("th").one("a").text: row for row in page.all("tbody")[0].all("tr")}
    full = rows["python:3.7"]
    assert list(rows)[:2] == ["python:3.7", "python:3.7-slim"]
    assert "3.7-alpine" in full.text
    assert "musl in place of glibc" in full.text
    saved = (350 - 31) * MB
    # Storage has the layer of the variant already.
    stored = 350 * MB
    assert full.amounts() == [350 * MB, 350 * MB, 31 * MB, saved, stored, saved]
    assert "already the smallest" in rows["debian:stretch-slim"].text
    assert "already the smallest" in rows["python:3.7-alpine"].text
    assert "no smaller variant known" in rows["acme/cuda:12.8"].text
    assert rows["acme/odd:1"].all("td")[2].text == "unknown"
    assert rows["acme/odd:1"].amounts() == []


def test_the_totals_of_the_page_are_of_all_bases(
    database: Database, client: TestClient
) -> None:
    bases = three_repositories(database)
    refresh_base_summaries(database, bases.world.now)

    page = parse(client.get("/bases?limit=1&q=debian", headers=HTML).text)

    figures = page.one("dl", "figures")
    assert figures.amounts()[:3] == [342 * MB, 456 * MB, 319 * MB]
    assert "python:3.7 in 1 repository" in " ".join(figures.text.split())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("python:3.7-alpine", "Already the smallest."),
        ("docker.io/acme/odd:1", "Unknown."),
    ],
)
def test_the_page_of_a_base_says_why_it_has_no_slimmer_variant(
    database: Database, client: TestClient, name: str, words: str
) -> None:
    bases = three_repositories(database)
    image = an_image([a_layer("alone", MB)])
    bases.world.crawl({"2": image})
    bases.known.stands_on(image.digest, None, reference="docker.io/acme/odd:1")
    refresh_base_summaries(database, bases.world.now)

    page = parse(client.get(f"/base?ref={name}", headers=HTML).text)

    assert words in page.text
