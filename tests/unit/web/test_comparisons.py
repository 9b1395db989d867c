"""Two images side by side: what the API answers and what the page shows."""

import json
import re
from datetime import timedelta
from html import escape
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from starlette.testclient import TestClient

from support.answering import answer
from support.html import parse
from support.images import a_layer, an_artifact_of, an_image, an_index_of
from support.json_schema import misfits
from support.read_model import a_weighing
from support.store_world import T0, World
from weighbridge.domain.comparison.comparison import Comparison, compare_weighings
from weighbridge.domain.image.document import Image, Layer, Line
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.size.confidence import MeasuredBlob, Uncompressed
from weighbridge.domain.size.weigh_image import weigh_image
from weighbridge.web.views.comparison import ON_DISK, comparison_page

pytestmark = pytest.mark.slow

MB: Final = 1_000_000
ARM: Final = Platform("linux", "arm64")
S390: Final = Platform("linux", "s390x")
DEBIAN = a_layer("debian", 50 * MB)
APP, APP_AGAIN = a_layer("app", 3 * MB), a_layer("app again", 4 * MB)
TORCH = a_layer("torch", 600 * MB)
ONLY = a_layer("only", 7 * MB)
COMPARE: Final = "/api/v1/compare"


def image_of(*steps: tuple[str, Layer], platform: Platform | None = None) -> Image:
    lines = [Line(text, None, n) for n, (text, _) in enumerate(steps)]
    layers = [layer for _, layer in steps]
    if platform is None:
        return an_image(layers, lines=lines)
    return an_image(layers, lines=lines, platform=platform)


OLD = image_of(("ADD debian /", DEBIAN), ("COPY . /app", APP))
NEW = image_of(
    ("ADD debian /", DEBIAN),
    ("RUN pip install torch", TORCH),
    ("COPY . /app", APP_AGAIN),
)
OLD_ARM = image_of(("ADD debian /", a_layer("arm", 40 * MB)), platform=ARM)
NEW_ARM = image_of(("ADD debian /", a_layer("arm 2", 41 * MB)), platform=ARM)
ONLY_S390 = image_of(("ADD debian /", a_layer("s390", 39 * MB)), platform=S390)


@pytest.fixture
def pushed(world: World) -> World:
    world.keep(OLD, OLD_ARM, NEW, NEW_ARM, ONLY_S390)
    world.crawl(
        {
            "1.4.2": an_index_of(OLD, OLD_ARM),
            "1.5.0": an_index_of(NEW, NEW_ARM),
            "s390": ONLY_S390,
            "chart": an_artifact_of(a_layer("chart", 700), role="artifact"),
        },
        pushed_at=T0,
    )
    return world


def asked(client: TestClient, a: str, b: str, **more: str) -> dict[str, Any]:
    answered = client.get(COMPARE, params={"a": a, "b": b, **more})
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    document = client.get("/api/v1/openapi.json").json()
    schema = document["components"]["schemas"]["ComparisonAnswer"]
    assert misfits(found, schema, document) == []
    return found


def app(tag: str) -> str:
    return f"hub/acme/app:{tag}"


def test_each_common_platform_is_answered(pushed: World, client: TestClient) -> None:
    found = asked(client, app("1.4.2"), app("1.5.0"))

    assert found["has_common_platform"] is True
    amd, arm = found["images"]
    assert (amd["platform"], arm["platform"]) == ("linux/amd64", "linux/arm64")
    assert amd["grown_compressed_bytes"] == 601 * MB
    assert amd["pull_bytes"] == 604 * MB
    assert [line["change"] for line in amd["lines"]] == ["same", "added", "rebuilt"]
    assert amd["shared"]["layers"][0]["digest"] == DEBIAN.digest
    assert arm["grown_compressed_bytes"] == MB
    assert amd["a"]["uncompressed_bytes"] is None
    assert found["cost"] is None


def test_one_platform_alone_may_be_asked_for(pushed: World, client: TestClient) -> None:
    found = asked(client, app("1.4.2"), app("1.5.0"), platform="linux/arm64")

    assert [each["platform"] for each in found["images"]] == ["linux/arm64"]


def test_images_without_a_common_platform_are_compared_all_the_same(
    pushed: World, client: TestClient
) -> None:
    found = asked(client, app("1.5.0"), app("s390"))

    (images,) = found["images"]
    assert found["has_common_platform"] is False
    assert images["platform"] is None
    assert (images["a"]["platform"], images["b"]["platform"]) == (
        "linux/amd64",
        "linux/s390x",
    )
    assert found["warnings"][0].startswith("they have no platform in common")


def test_digests_are_compared_as_tags_are(pushed: World, client: TestClient) -> None:
    found = asked(client, f"hub/acme/app@{OLD.digest}", app("1.4.2"))

    assert found["images"][0]["is_same"] is True
    assert found["a"]["tag"] is None


def test_a_disputed_size_is_the_registrys_and_the_claim_is_told(
    pushed: World, client: TestClient
) -> None:
    size = Uncompressed("exact", 9, 9, 9)
    lies = {TORCH.digest: MeasuredBlob(700 * MB, size)}
    answer(pushed.database, pushed.scope_id, lies, pushed.now)

    (images, _) = asked(client, app("1.4.2"), app("1.5.0"))["images"]

    (torch, *_) = images["only_b"]["layers"]
    assert torch["compressed_bytes"] == 700 * MB
    assert torch["claimed_bytes"] == 600 * MB
    assert images["only_b"]["compressed_confidence"] == "claimed"
    assert images["pull_bytes"] == 704 * MB


@pytest.mark.parametrize(
    ("a", "b", "code", "words"),
    [
        ("hub/acme/no:1", app("1.5.0"), "repository_not_found", "hub/acme/no"),
        (app("1.5.0"), app("9"), "image_not_found", "hub/acme/app:9"),
        (app("chart"), app("1.5.0"), "image_not_found", "has no image that could"),
    ],
)
def test_what_cannot_be_compared_is_404_with_a_code(
    pushed: World, client: TestClient, a: str, b: str, code: str, words: str
) -> None:
    answered = client.get(COMPARE, params={"a": a, "b": b})

    assert answered.status_code == 404
    assert answered.json()["error"]["code"] == code
    assert words in answered.json()["error"]["message"]


def test_a_platform_that_one_has_not_is_404(pushed: World, client: TestClient) -> None:
    query = {"a": app("1.5.0"), "b": app("s390"), "platform": "linux/arm64"}

    error = client.get(COMPARE, params=query).json()["error"]

    assert error["code"] == "image_not_found"
    assert error["detail"] == {"platforms": ["linux/s390x"]}


def test_it_is_what_the_command_prints_of_the_same_numbers(
    pushed: World, client: TestClient
) -> None:
    there = asked(client, app("1.4.2"), app("1.5.0"))
    back = asked(client, app("1.5.0"), app("1.4.2"))

    for one, other in zip(there["images"], back["images"], strict=True):
        assert one["only_a"] == other["only_b"]
        assert one["shared"] == other["shared"]
        assert one["grown_compressed_bytes"] == -other["grown_compressed_bytes"]
    assert json.dumps(there["a"]) == json.dumps(back["b"])


def page(client: TestClient, path: str, status: int = 200) -> str:
    answered = client.get(path, headers={"accept": "text/html"})
    assert answered.status_code == status
    return answered.text


def test_the_page_says_the_answer_then_the_cause_then_the_lines(
    pushed: World, client: TestClient
) -> None:
    text = page(client, f"/compare?a={app('1.4.2')}&b=:1.5.0")

    assert '▲ +<data class="b" value="601000000"' in text
    assert 'value="604000000" title="604,000,000 bytes"' in text
    # In grey, what has the colour of the heaviest line is told by its mark.
    assert re.search(r'class="heavy p2"[^>]*>◆ line \d+, <tspan data-b="\d{9}"', text)
    assert "is pulled again." in text
    assert "<code>RUN pip install torch</code> was put above" in text
    rows = re.findall(r'<tr class="(same|add|re)" id="(d\d)"', text)
    assert rows == [("same", "d1"), ("add", "d2"), ("re", "d3")]
    assert "/compare.json?a=hub%2Facme%2Fapp%3A1.4.2&amp;b=hub" in text
    assert "a=hub%2Facme%2Fapp%3A1.5.0&amp;b=hub%2Facme%2Fapp%3A1.4.2" in text


def test_every_number_of_the_page_is_there_without_those_that_are_the_same(
    pushed: World, client: TestClient
) -> None:
    text = page(client, f"/compare?a={app('1.4.2')}&b=:1.5.0&view=changed")

    assert re.findall(r'id="(d\d)"', text) == ["d2", "d3"]


def test_another_platform_is_a_link(pushed: World, client: TestClient) -> None:
    text = page(client, f"/compare?a={app('1.4.2')}&b=:1.5.0")
    arm = page(client, f"/compare?a={app('1.4.2')}&b=:1.5.0&platform=linux/arm64")

    assert "&amp;platform=linux%2Farm64" in text
    assert '▲ +<data class="b" value="1000000"' in arm


def test_a_third_image_has_what_all_have_and_what_it_alone_has(
    pushed: World, client: TestClient
) -> None:
    third = image_of(("ADD debian /", DEBIAN), ("COPY . /app", APP), ("RUN x", ONLY))
    pushed.crawl({"1.6.0": third})

    found = asked(client, app("1.4.2"), app("1.5.0"), c=app("1.6.0"))

    amd, arm = found["images"]
    assert found["c"]["reference"] == app("1.6.0")
    assert amd["c"]["digest"] == third.digest
    assert amd["c"]["in_all"]["compressed_bytes"] == 50 * MB
    assert [each["digest"] for each in amd["c"]["only_c"]["layers"]] == [ONLY.digest]
    assert arm["c"] is None
    assert asked(client, app("1.4.2"), app("1.5.0"))["c"] is None


def test_the_page_has_a_row_for_each_of_three(
    pushed: World, client: TestClient
) -> None:
    third = image_of(("ADD debian /", DEBIAN), ("COPY . /app", APP), ("RUN x", ONLY))
    pushed.crawl({"1.6.0": third})
    path = f"/compare?a={app('1.4.2')}&b=:1.5.0&c=:1.6.0"

    tree = parse(page(client, path))
    arm = page(client, f"{path}&platform=linux/arm64", 404)

    table = tree.one("table", "wide")
    rows = [row.amounts() for row in table.one("tbody").all("tr")]
    assert rows == [
        [53 * MB, 50 * MB, 3 * MB, 0],
        [654 * MB, 50 * MB, 0, 604 * MB],
        [60 * MB, 50 * MB, 3 * MB, 7 * MB],
    ]
    others = [a.attributes["href"] or "" for a in table.all("a")][-2:]
    assert [client.get(href).status_code for href in others] == [200, 200]
    foot = tree.one("footer", "foot")
    twins = [a.attributes["href"] or "" for a in foot.all("a")]
    assert [client.get(href).status_code for href in twins] == [200, 200]
    assert "has no image for linux/arm64" in arm


def test_a_third_image_for_another_platform_is_not_put_beside_the_two(
    pushed: World, client: TestClient
) -> None:
    text = page(client, f"/compare?a={app('1.4.2')}&b=:1.5.0&c=:s390")

    assert "The third image is not for linux/amd64" in text


def test_without_two_images_there_is_a_form(pushed: World, client: TestClient) -> None:
    text = page(client, f"/compare?a={app('1.4.2')}")

    assert 'name="a" value="hub/acme/app:1.4.2"' in text
    assert "Line by line" not in text


@pytest.mark.parametrize(
    ("a", "b", "status", "words"),
    [
        (app("1.4.2"), ":9", 404, "hub/acme/app:9 is not known here"),
        ("hub/acme/no:1", app("1.4.2"), 404, "hub/acme/no is not known here"),
        ("HUB//", app("1.4.2"), 400, "is not an image reference"),
        ("<script>", app("1.4.2"), 400, "is not an image reference"),
    ],
)
def test_a_wrong_input_is_told_beside_what_was_typed(
    pushed: World, client: TestClient, a: str, b: str, status: int, words: str
) -> None:
    text = page(client, f"/compare?{urlencode({'a': a, 'b': b})}", status)

    assert words in text
    assert f'name="a" value="{escape(a)}"' in text
    assert "<script>" not in text


def test_the_lines_are_a_table_of_csv(pushed: World, client: TestClient) -> None:
    answered = client.get("/compare.csv", params={"a": app("1.4.2"), "b": app("1.5.0")})

    assert answered.headers["content-type"].startswith("text/csv")
    assert [line.split(",")[:2] for line in answered.text.splitlines()[1:]] == [
        ["linux/amd64", "same"],
        ["linux/amd64", "added"],
        ["linux/amd64", "rebuilt"],
        ["linux/arm64", "rebuilt"],
    ]


def test_the_base_of_both_is_hatched_and_one_row() -> None:
    base = ImageBase("debian:10", (), 1, 50 * MB, 0.5, "base", "layers")
    before, after = (
        a_weighing(replace(weigh_image(image, {}), base=base), tag=tag)
        for image, tag in ((OLD, "1.4.2"), (NEW, "1.5.0"))
    )

    shown = comparison_page(compare_weighings(before, after))

    assert [row.instruction for row in shown.base_rows] == ["ADD debian /"]
    assert [row.key for row in shown.rows] == ["d2", "d3"]
    assert shown.base_name == "debian:10"
    assert shown.bar is not None
    assert 0 < shown.bar.base == shown.bar.shared
    assert ("Base", "debian:10", "debian:10", "same") in [
        (fact.name, fact.before, fact.after, fact.grown) for fact in shown.facts
    ]


def a_pair(measured: bool = True) -> Comparison:
    """The images, with what their layers take on a disk; else with all but one."""
    sizes = {DEBIAN: 120, APP: 9, TORCH: 1_500, APP_AGAIN: 10}
    known = {
        layer.digest: MeasuredBlob(
            None, Uncompressed("exact", on_disk * MB, on_disk * MB, on_disk * MB)
        )
        for layer, on_disk in sizes.items()
        if measured or layer is not TORCH
    }
    before, after = (
        a_weighing(weigh_image(image, known), tag=tag)
        for image, tag in ((OLD, "1.4.2"), (NEW, "1.5.0"))
    )
    return compare_weighings(before, after)


def test_on_disk_every_number_but_that_of_the_pull_is_what_a_disk_takes() -> None:
    shown = comparison_page(a_pair(), measure=ON_DISK)

    assert shown.total.grown.number == 1_501 * MB
    assert [row.after.number for row in shown.rows] == [120 * MB, 1_500 * MB, 10 * MB]
    assert [row.grown.number for row in shown.rows] == [0, 1_500 * MB, MB]
    assert (shown.shared.number, shown.only_before.number) == (120 * MB, 9 * MB)
    assert shown.bar is not None
    assert shown.bar.shared == round(120 / 1_630 * 100, 2)
    assert shown.images.pull_bytes == 604 * MB
    assert (shown.beside.name, shown.beside.grown.number) == ("Compressed", 601 * MB)


def test_what_is_not_known_on_disk_is_no_number_and_draws_no_bar() -> None:
    shown = comparison_page(a_pair(measured=False), measure=ON_DISK)

    assert shown.total.before.number == 129 * MB
    assert shown.total.after.number is None
    assert shown.total.grown.number is None
    assert shown.bar is None
    assert shown.top is None
    assert [row.grown.number for row in shown.rows] == [0, None, MB]
    assert not any(row.bar for row in shown.rows)


def test_the_page_on_disk_is_a_link_that_keeps_the_state_and_says_unknown(
    pushed: World, client: TestClient
) -> None:
    path = f"/compare?a={app('1.4.2')}&b=:1.5.0&view=changed"
    text = page(client, path)
    on_disk = page(client, f"{path}&show=uncompressed")

    assert re.search(
        r'href="/compare\?a=[^"]*view=changed&amp;show=uncompressed"', text
    )
    assert re.search(r'view=changed" *>compressed</a>', on_disk)
    assert "takes on a disk is not known" in on_disk
    assert '<span class="unknown"' in on_disk
    assert '<tr><th scope="row">Compressed</th>' in on_disk


def test_without_a_common_platform_the_page_says_what_it_compares(
    pushed: World, client: TestClient
) -> None:
    text = page(client, f"/compare?a={app('1.5.0')}&b=:s390")

    assert "no platform in common: linux/amd64 is compared with linux/s390x" in text
    assert '<data class="b" value="615000000"' in text


PARTS = st.lists(st.sampled_from([DEBIAN, APP, APP_AGAIN, TORCH]), max_size=4)


@given(PARTS, PARTS)
def test_bars_stay_within_the_scale_and_are_as_long_as_what_they_show(
    before: list[Layer], after: list[Layer]
) -> None:
    images = [
        weigh_image(image_of(*((f"RUN {n}", y) for n, y in enumerate(layers))), {})
        for layers in (before, after)
    ]
    found = compare_weighings(a_weighing(images[0]), a_weighing(images[1]))

    shown = comparison_page(found)

    assert shown.bar is not None
    for segments, image in (
        (shown.bar.before, images[0]),
        (shown.bar.after, images[1]),
    ):
        ends = [segment.x + segment.width for segment in segments]
        assert all(end <= 100.05 for end in ends)
        if ends and image.compressed_bytes == max(i.compressed_bytes for i in images):
            assert ends[-1] > 98
    for row in (*shown.rows, *shown.base_rows):
        assert row.bar is None or 0 <= row.bar.x <= row.bar.x + row.bar.width <= 100.01


def test_without_a_first_image_the_one_before_is_taken(
    pushed: World, client: TestClient
) -> None:
    pushed.crawl({"main": OLD})
    pushed.crawl({"main": NEW})

    text = page(client, f"/compare?b={app('main')}")

    assert f'name="a" value="hub/acme/app@{OLD.digest}"' in text
    assert '▲ +<data class="b" value="601000000"' in text


def test_a_tag_that_never_moved_has_the_newest_image_before_it(
    pushed: World, client: TestClient
) -> None:
    pushed.crawl({"2.0.0": OLD}, pushed_at=pushed.now + timedelta(days=2))
    pushed.crawl({"2.1.0": NEW}, pushed_at=pushed.now + timedelta(days=4))

    text = page(client, f"/compare?b={app('2.1.0')}")

    assert f'name="a" value="hub/acme/app@{OLD.digest}"' in text


def test_where_nothing_was_before_it_is_said(pushed: World, client: TestClient) -> None:
    text = page(client, f"/compare?b={app('1.4.2')}", 404)

    assert "no image is known that was before hub/acme/app:1.4.2" in text


def test_pages_of_images_and_repositories_lead_to_the_comparison(
    pushed: World, client: TestClient
) -> None:
    image = page(client, f"/image?ref={app('1.5.0')}")
    repository = page(client, "/repository?ref=hub/acme/app")

    here = "/compare?b=hub/acme/app:1.5.0"
    assert f'href="{here}&amp;platform=linux/amd64"' in image
    assert re.search(r'href="/compare\?b=hub/acme/app:[\w.]+"', repository)


def test_two_tags_that_were_chosen_are_compared_the_older_one_first(
    pushed: World, client: TestClient
) -> None:
    text = page(client, "/compare?repository=hub/acme/app&tag=1.5.0&tag=1.4.2")

    assert text == page(client, f"/compare?a={app('1.4.2')}&b={app('1.5.0')}")


@pytest.mark.parametrize(
    ("tags", "said"),
    [("", "none is chosen"), ("&tag=a&tag=b&tag=c", "3 are chosen")],
)
def test_more_or_fewer_than_two_that_were_chosen_are_refused(
    client: TestClient, tags: str, said: str
) -> None:
    text = page(client, f"/compare?repository=hub/acme/app{tags}", 400)

    assert f"Choose two tags: {said}" in text


def test_of_one_tag_that_was_chosen_the_image_before_is_looked_for(
    pushed: World, client: TestClient
) -> None:
    pushed.crawl({"main": OLD})
    pushed.crawl({"main": NEW})

    text = page(client, "/compare?repository=hub/acme/app&tag=main")

    assert f'name="a" value="hub/acme/app@{OLD.digest}"' in text
