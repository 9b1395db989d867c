"""The pages in a real browser: laid out, complete without script, and harmless."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from support.answering import keep_sizes
from support.axe import OF_COLOURS, faults_of
from support.browser import Browser, a_browser
from support.database import a_database
from support.html import parse
from support.images import (
    a_layer,
    an_artifact_of,
    an_image,
    an_index_of,
    some_layers,
)
from support.known_bases import KnownBases
from support.policies import a_policy
from support.read_model import python_3_7
from support.slim_bases import SlimBases
from support.store_world import T0, World
from support.violations import Violations, waived
from support.web_app import create_app
from support.web_service import served
from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.image.document import Child, Descriptor, Image, Line
from weighbridge.domain.image.image_config import LINE_UNKNOWN, SQUASHED
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.policy.policy import Match, PolicySet
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.traffic.costs import Prices
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.traffic.pull_counts import note_pulls
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

MARKUP = (
    "RUN <script>alert(1)</script><img src=x onerror=alert(2)>"
    '"><svg onload=alert(3)><a href="javascript:alert(4)">x</a>'
    "{{ 7 * 7 }}<style>*{display:none}</style>"
)
LONG = "RUN curl -o tool https://downloads.example/" + "very-long-name/" * 250
POLICIES = PolicySet(
    [
        a_policy("a" * 63, Match(repository="other*"), max_compressed=300_000_000),
        a_policy(MARKUP[:63], max_compressed=500_000_000),
    ]
)
LONG_TAG = "x" * 128
PAGES = [
    "/",
    "/?registry=hub&sort=name&order=asc",
    "/image?ref=hub/library/python:3.7",
    "/image?ref=hub/library/python:3.7&platform=linux/arm64",
    "/image?ref=hub/library/python:hostile",
    "/image?ref=hub/library/python:chart",
    "/image?ref=hub/library/python:odd",
    "/image?ref=hub/library/python:squashed",
    "/image?ref=hub/library/python:lighter",
    "/repository?ref=hub/library/python",
    "/repository?ref=hub/library/python&show=uncompressed&sort=frees&order=asc",
    "/compare",
    "/compare?a=hub/library/python:3.7&b=:hostile&show=uncompressed",
    f"/compare?a=hub/library/python:3.7&b=:odd&c=:{LONG_TAG}",
    "/compare?a=hub/library/python:3.7&b=:hostile",
    "/compare?a=hub/library/python:3.7&b=:odd&view=changed",
    "/compare?a=hub/library/python:3.7&b=:3.7",
    f"/compare?a=hub/library/python:3.7&b=:{LONG_TAG}",
    f"/image?ref=hub/library/python:{LONG_TAG}",
    "/compare?a=hub/library/python:3.7&b=:gone",
    "/violations",
    "/violations?state=all&team=shop",
    "/violations?max_compressed=1MB",
    "/violations?max_compressed=" + "wrong" * 60,
    "/?violating=true",
    "/bases",
    "/bases?show=images&sort=weighed",
    "/bases?outdated=true&sort=name&order=asc",
    "/base?ref=library/debian:stretch",
    "/base?ref=library/python:3.7",
    "/base?ref=library/debian:stretch&outdated=true",
    "/crawls",
    "/search?q=python",
    "/image?ref=hub/library/python:gone",
]

DIFFERENT_PAGES = [
    "/",
    "/repository?ref=hub/library/python",
    "/image?ref=hub/library/python:lighter",
    "/compare",
    "/compare?a=hub/library/python:3.7&b=:hostile",
    "/bases",
    "/base?ref=library/python:3.7",
    "/violations?state=all&max_compressed=1MB",
    "/crawls",
    "/search?q=python",
    "/image?ref=hub/library/python:gone",
]
"""One of each sort that there is."""


def python_image() -> Image:
    """The image of `python_3_7` as a crawl would have kept it."""
    (weighed,) = python_3_7().images
    layers = [a_layer(y.digest, y.compressed_bytes) for y in weighed.layers]
    lines = [Line(y.instruction, y.created_at, y.layer) for y in weighed.lines]
    return an_image(layers, lines=lines)


def odd_images() -> tuple[Image, Image]:
    """One whose history does not fit its layers, and one that was squashed."""
    first, *texts = [line.instruction for line in python_image().lines]
    unexplained = [Line(LINE_UNKNOWN, None, layer) for layer in (0, 1)]
    odd = an_image(
        some_layers(196_000_000, 42_000_000, name="odd"),
        lines=[*(Line(text, None, None) for text in (first, *texts)), *unexplained],
    )
    committed = [*(Line(text, None, None) for text in texts), Line(SQUASHED, None, 1)]
    squashed = an_image(
        some_layers(55_000_000, 293_000_000, name="squashed"),
        lines=[Line(first, None, 0), *committed],
    )
    return (
        replace(odd, history_alignment="unresolved"),
        replace(squashed, history_alignment="inferred"),
    )


def fill(world: World) -> None:
    """A weighed index, something hostile, a chart, and an empty repository."""
    python = python_image()
    arm = an_image(some_layers(48_000_000), platform=Platform("linux", "arm64"))
    sbom = an_artifact_of(a_layer("sbom", 17_800_000))
    others = [Child(Descriptor(sbom.media_type, sbom.digest, 500), sbom.role)]
    hostile = an_image(
        some_layers(30_000_000, 900, 400_000_000, name="hostile"),
        lines=[Line(MARKUP, None, 0), Line("RUN true", None, 1), Line(LONG, None, 2)],
    )
    odd, squashed = odd_images()
    world.keep(python, arm, sbom)
    world.crawl(
        {
            "3.7": an_index_of(python, arm, others=others),
            "hostile": hostile,
            "odd": odd,
            "squashed": squashed,
            "chart": an_artifact_of(a_layer("chart", 900), role="artifact"),
            LONG_TAG: an_image(some_layers(20, name="long")),
        },
        pushed_at=T0,
    )
    (weighed,) = python_3_7().images
    measures = {
        layer.digest: known.uncompressed
        for layer, known in zip(python.layers, weighed.layers, strict=True)
        if known.uncompressed is not None
    }
    measures[arm.layers[0].digest] = Uncompressed(
        "estimate", 150_000_000, 120_000_000, 180_000_000, "multi_member"
    )
    with world.database.write() as connection:
        keep_sizes(connection, world.scope_id, measures, world.now)
        refresh_summary(connection, world.repository_id, world.now, world.platforms)


def pull(world: World) -> None:
    """Months with nothing, little and very much."""
    now = datetime.now(UTC)
    for days, number in ((75, 0), (40, 9), (2, 123_456_789), (1, 987_654_321)):
        with world.database.write() as connection:
            told = {world.repository: PullCount(number)}
            at = now - timedelta(days=days)
            note_pulls(connection, world.registry_id, told, at)


def stand_on_a_base(world: World) -> None:
    """An image with advice of each sort, on a base with slimmer variants."""
    bases = SlimBases(world)
    full = some_layers(55_000_000, 292_000_000, name="full")
    bases.base("full", full, "library/python:3.7", f"library/{'long-' * 40}:3.7")
    bases.base("slim", some_layers(46_000_000, name="slim"), "library/python:3.7-slim")
    texts = (
        "ADD file:0123 in /",
        "RUN make",
        "COPY . /app",
        "RUN chown -R app:app /app",
        f"RUN apt-get update && apt-get install -y gcc {'long-' * 60}",
    )
    own = some_layers(120_000_000, 120_000_000, 58_000_000, name="own")
    lines = [Line(text, None, number) for number, text in enumerate(texts)]
    image = an_image([*full, *own], lines=lines)
    world.keep(image)
    bases.known.stands_on(image.digest, "full")
    world.crawl({"lighter": image})


def violate(world: World) -> None:
    """Limits that are exceeded, with names and lines that are meant to harm."""
    made = Violations(world.database)
    long = LineChange("grown", LONG, 1, 9, 8)
    made.open(world.repository_id)
    made.open(world.repository_id, cause=Cause("base", None, (long,), 8))
    hostile = LineChange("added", MARKUP, None, 9, 9)
    made.open(
        world.repository_id,
        policy=MARKUP[:63],
        team=MARKUP[:63],
        cause=Cause("own", None, (hostile,), 9),
    )
    made.open(world.repository_id, limit_key="max_layers", amount=70, limit_amount=60)
    made.open(world.repository_id, tag=None, team=None, cause=None, platform="")
    made.close(made.open(world.repository_id))
    now = datetime.now(UTC)
    waived(world.database, "library/*", now, limit_key="max_layers", reason=MARKUP)
    waived(world.database, "other", now, reason="long-words-" * 40, author="a" * 63)


def stand_on_bases(world: World) -> None:
    """Of two builds of one base the image of python stands on the older; another one
    says that it stands on what has a hostile name."""
    known = KnownBases(world.database, world.now)
    stretch = "library/debian:stretch"
    known.base("old", stretch, compressed_bytes=45_000_000, left_at={stretch: T0})
    known.base("new", stretch, compressed_bytes=46_000_000)
    known.stands_on(python_image().digest, "old")
    squashed, _ = odd_images()
    known.stands_on(squashed.digest, None, reference=MARKUP)
    refresh_base_summaries(world.database, world.now)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with a_database(tmp_path_factory.mktemp("store")) as database:
        world = World(database, repository="library/python")
        fill(world)
        stand_on_a_base(world)
        violate(world)
        stand_on_bases(world)
        pull(world)
        prices = Prices("EUR", None, Decimal("0.09"))
        options = WebOptions(policies=lambda: POLICIES, prices=prices)
        with served(create_app(database, Telemetry(), options)) as url:
            yield url


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    profile: Path = tmp_path_factory.mktemp("profile")
    with a_browser(profile) as opened:
        yield opened


@pytest.mark.parametrize(
    ("width", "theme"),
    [
        *((width, "light") for width in (390, 768, 1280, 1920)),
        (1280, "dark"),
        # Colours take no room: at other widths they are as light ones are.
        *(
            pytest.param(width, "dark", marks=pytest.mark.long)
            for width in (390, 768, 1920)
        ),
    ],
)
def test_nothing_scrolls_sideways_and_nothing_is_complained_about(
    service: str, browser: Browser, width: int, theme: Literal["light", "dark"]
) -> None:
    for page in PAGES:
        seen = browser.open(f"{service}{page}", width=width, theme=theme)

        assert browser.value("document.documentElement.scrollWidth") == width, page
        assert browser.value(BEYOND_THE_EDGE % width) == [], page
        complaints = [text.partition(" (")[0] for text in seen.complaints]
        assert complaints == [f"{REFUSED} {status}" for status in refused(page)], page


@pytest.mark.parametrize(("theme", "rules"), [("light", ()), ("dark", OF_COLOURS)])
def test_axe_finds_nothing_serious(
    service: str,
    browser: Browser,
    theme: Literal["light", "dark"],
    rules: tuple[str, ...],
    tmp_path: Path,
) -> None:
    with (
        a_database(tmp_path) as database,
        served(create_app(database, Telemetry(), WebOptions())) as empty,
    ):
        for url in (f"{empty}/", *(f"{service}{page}" for page in DIFFERENT_PAGES)):
            browser.open(url, theme=theme)

            assert faults_of(browser, rules) == [], url


REFUSED = "Failed to load resource: the server responded with a status of"


def refused(page: str) -> list[int]:
    """The status that the browser complains about, if it does."""
    if "gone" in page:
        return [404]
    return [400] if "wrong" in page else []


BEYOND_THE_EDGE = """
[...document.querySelectorAll("main *")]
  .filter((e) => !e.closest("svg") && !e.closest(".sr"))
  .filter((e) => e.getBoundingClientRect().right > %d + 0.5)
  .map((e) => e.outerHTML.slice(0, 100))
"""


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_labels_of_the_bar_do_not_overlap(
    service: str, browser: Browser, width: int
) -> None:
    for tag in ("3.7", "hostile"):
        browser.open(f"{service}/image?ref=hub/library/python:{tag}", width=width)

        boxes = browser.value(LABEL_BOXES)
        assert isinstance(boxes, list)
        assert boxes
        assert all(one[1] < other[0] for one, other in pairwise(boxes))


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_a_number_or_a_date_beside_a_long_name_stays_on_a_line(
    service: str, browser: Browser, width: int
) -> None:
    # Only on a small screen may the name of a fact break between its words.
    cells = "td" if width < 640 else "*"
    for tag in ("lighter", "hostile", LONG_TAG):
        page = f"/compare?a=hub/library/python:3.7&b=:{tag}"
        browser.open(f"{service}{page}", width=width)

        lines = browser.value(LINES_OF_FACTS % cells)
        assert isinstance(lines, list)
        assert len(lines) > 8
        assert set(lines) <= {0, 1}


LINES_OF_FACTS = """
[...document.querySelectorAll(".besides tbody > tr > %s:not(.name)")].map((cell) => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  const boxes = [...range.getClientRects()].filter((box) => box.width > 0);
  return boxes.filter((box, n) => !n || box.top >= boxes[n - 1].bottom).length;
})
"""


LABEL_BOXES = """
[...document.querySelectorAll(".layerbar text")]
  .map((e) => e.getBoundingClientRect()).filter((b) => b.width > 0)
  .map((b) => [b.left, b.right]).sort((a, b) => a[0] - b[0])
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_cells_of_a_row_do_not_overlap(
    service: str, browser: Browser, width: int
) -> None:
    pages = ("/", "/repository?ref=hub/library/python", "/bases", "/crawls")
    for page in (*pages, "/violations?max_compressed=1MB"):
        browser.open(f"{service}{page}", width=width)

        assert browser.value(OVERLAPPING_CELLS) == []


OVERLAPPING_CELLS = """
[...document.querySelectorAll("tbody tr")].flatMap((row) => {
  const cells = [...row.children].filter((cell) => cell.offsetWidth > 0);
  const inside = (cell) => [...cell.querySelectorAll("*")]
    .filter((e) => !e.closest("svg"))
    .filter((e) => e.getBoundingClientRect().right
                   > cell.getBoundingClientRect().right + 1);
  return cells.flatMap(inside).map((e) => e.outerHTML.slice(0, 100));
})
"""


def test_markup_of_a_pusher_does_nothing__config_blob_001(
    service: str, browser: Browser
) -> None:
    pages = [
        "/image?ref=hub/library/python:hostile",
        "/",
        "/search?q=<script>alert(9)",
        "/bases",
        "/violations?max_compressed=1MB",
        "/violations",
        "/repository?ref=hub/library/python",
        "/compare?a=hub/library/python:3.7&b=:hostile",
        "/compare?a=hub/library/python:squashed&b=:hostile&view=changed",
        "/base?ref=library/debian:stretch",
        "/image?ref=hub/library/python:lighter",
    ]
    for page in pages:
        seen = browser.open(f"{service}{page}")

        assert seen.dialogs == []
        assert seen.complaints == []
        # The browser draws the sign of a field for a date itself, as data.
        asked = {url for url in seen.requests if not url.startswith("data:")}
        assert {url.split("/")[2] for url in asked} == {service.split("/")[2]}
        assert browser.value("document.scripts.length") == 1
        assert (
            browser.value("document.querySelectorAll('main img, main style').length")
            == 0
        )

    browser.open(f"{service}{pages[0]}")
    assert MARKUP in str(browser.value("document.querySelector('#l1').textContent"))


def test_every_number_is_there_without_script(service: str, browser: Browser) -> None:
    for page in PAGES:
        browser.open(f"{service}{page}", script=False)
        without = parse(browser.dom())
        browser.open(f"{service}{page}")
        with_script = parse(browser.dom())

        assert without.one("main").text == with_script.one("main").text
        assert without.amounts() == with_script.amounts()


def test_one_key_turns_every_size_of_the_page(service: str, browser: Browser) -> None:
    browser.open(f"{service}/image?ref=hub/library/python:3.7")
    before = str(browser.value(SIZES))

    browser.press("u")
    after = str(browser.value(SIZES))
    browser.press("u")

    assert "348 MB" in before
    assert "iB" not in before
    assert "332 MiB" in after
    assert "MB" not in after
    assert "kB" not in after
    assert browser.value(SIZES) == before


SIZES = """
[...document.querySelectorAll("data.b, [data-b]")].map((e) => e.textContent).join("|")
"""


def test_the_script_writes_sizes_as_the_server_does(
    service: str, browser: Browser
) -> None:
    browser.open(f"{service}/image?ref=hub/library/python:3.7")
    server = browser.value(SIZES)

    browser.value('showUnits("si")')

    assert browser.value(SIZES) == server


def test_the_bar_and_the_table_point_at_each_other(
    service: str, browser: Browser
) -> None:
    browser.open(f"{service}/image?ref=hub/library/python:3.7")

    browser.value("document.querySelector('.layerbar a[data-l=l5]').focus()")

    assert browser.value("document.querySelector('#l5').classList.contains('lit')")
