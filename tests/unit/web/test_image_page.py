"""The page of one image says the truth and adds up."""

import dataclasses
from datetime import timedelta
from urllib.parse import unquote

import pytest
from msgspec.structs import replace

from support.images import a_digest
from support.pages import image_html, image_tree
from support.read_model import (
    NOW,
    a_repository_report,
    a_weighed_image,
    a_weighed_layer,
    a_weighing,
    measured,
    python_3_7,
    unknown,
)
from weighbridge.domain.image.document import Problem
from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.size.weighing import Other, Weighing
from weighbridge.store.tags.whereabouts import OtherRepository, TagSince, Whereabouts

MARKUP = 'RUN <script>alert(1)</script><img src=x onerror="alert(2)">'


def an_image_of(*compressed_bytes: int) -> Weighing:
    """An index of one image with a RUN line for each layer."""
    layers = [
        a_weighed_layer(("layer", i), n, measured(2 * n))
        for i, n in enumerate(compressed_bytes)
    ]
    lines = [(f"RUN step-{i}", i) for i in range(len(layers))]
    return a_weighing(a_weighed_image(layers, lines))


def test_the_page_opens_with_the_line_that_is_heaviest() -> None:
    page = image_tree(python_3_7())

    verdict = page.one("p", "verdict")
    assert verdict.text.startswith("◆ Line 5, RUN ")
    assert verdict.text.endswith("is 56.6 % of its compressed bytes")
    assert verdict.all("a")[0].attributes["href"] == "#l5"
    assert page.by_id("l5").classes == {"heavy"}


def test_rows_sum_to_the_foot() -> None:
    page = image_tree(python_3_7())

    table = page.one("table", "lines")
    rows = [row.amounts() for row in table.one("tbody").all("tr")]
    foot = table.one("tfoot").amounts()
    assert len(rows) == 10
    assert foot == [347_653_336, 912_349_696]
    assert [sum(column) for column in zip(*rows, strict=True)] == foot


def test_the_bar_is_whole_and_leads_to_every_row_with_bytes() -> None:
    page = image_tree(python_3_7())

    bar = page.one("svg", "layerbar")
    widths = [rect.attributes["width"] for rect in bar.all("rect")]
    targets = [a.attributes["href"] for a in bar.all("a")]
    assert round(sum(float(width.removesuffix("%")) for width in widths), 2) == 100
    assert targets == [f"#l{i}" for i in range(1, 10)]
    assert all(page.by_id(target[1:]).tag == "tr" for target in targets)


def test_metadata_lines_are_folded_and_complete() -> None:
    page = image_tree(python_3_7())

    details = page.one("details")
    lines = [item.text for item in details.all("li")]
    assert details.one("summary").text == "CMD, ENV (8 metadata lines)"
    assert lines[0] == 'CMD ["bash"] after line 1'
    assert lines[-1] == 'CMD ["python3"] after line 9'
    assert len(lines) == 8


def test_every_number_names_what_it_counts() -> None:
    page = image_tree(python_3_7())

    figures = {
        f.one("dt").text: f.one("dd").text for f in page.one("dl", "figures").all("div")
    }
    assert figures == {
        "Compressed, linux/amd64": "348 MB what a pull moves",
        "On disk": "912 MB trailer, every layer's own record, ratio 2.62",
        "Layers": "9 of 17 lines",
        "Pull takes about": "2.8 s at 1 Gbit/s, 28 s at 100 Mbit/s",
    }


def test_other_platforms_are_links_that_keep_the_reference() -> None:
    page = image_tree(python_3_7())

    (switch,) = [n for n in page.all("nav") if n.attributes["aria-label"] == "Platform"]
    links = {a.text: a.attributes["href"] for a in switch.all("a")}
    (shown,) = [a.text for a in switch.all("a") if "aria-current" in a.attributes]
    assert shown == "linux/amd64"
    assert links["linux/arm64"] == (
        "/image?ref=hub/library/python:3.7&platform=linux/arm64"
    )


def test_aliases_leave_out_the_tag_that_is_shown() -> None:
    page = image_tree(python_3_7(), ["3.7", "3.7.16", "latest"])

    assert [chip.text for chip in page.all("span", "alias")] == ["3.7.16", "latest"]


def test_a_size_that_is_not_known_is_a_word_with_a_reason() -> None:
    layers = [
        a_weighed_layer("a", 100, measured(300)),
        a_weighed_layer("b", 200, unknown("zstd_without_size")),
        a_weighed_layer("c", 300, None),
        a_weighed_layer(
            "d", 400, Uncompressed("estimate", 900, 800, 2000, "multi_member")
        ),
    ]
    lines = [(f"RUN {layer.digest[-4:]}", i) for i, layer in enumerate(layers)]
    image = a_weighed_image(layers, lines, uncompressed=unknown("zstd_without_size"))

    page = image_tree(a_weighing(image))

    cells = [page.by_id(f"l{i}").all("td")[-1] for i in (1, 2, 3, 4)]
    assert [cell.text for cell in cells] == ["300 B", "unknown", "not yet", "900 B"]
    assert "zstd frame" in cells[1].one("span").attributes["title"]
    assert "est" in cells[3].one("data").classes
    assert "800 B to 2.00 kB" in cells[3].one("data").attributes["title"]
    foot = page.one("table", "lines").one("tfoot")
    assert foot.one("span", "unknown").text == "unknown"
    assert foot.amounts() == [1_000]


def test_a_layer_that_comes_twice_is_counted_once() -> None:
    layers = [
        a_weighed_layer("same", 700, measured(900)),
        a_weighed_layer("same", 700, measured(900)),
    ]

    page = image_tree(a_weighing(a_weighed_image(layers, [("RUN a", 0), ("RUN b", 1)])))

    assert page.by_id("l2").amounts() == [0, 900]
    assert "same layer as line 1, moved once" in page.by_id("l2").text
    assert page.one("table", "lines").one("tfoot").amounts() == [700, 1_800]


def test_layers_without_lines_are_still_rows() -> None:
    layers = [a_weighed_layer("a", 100, measured(300)), a_weighed_layer("b", 50)]
    image = a_weighed_image(layers, [], alignment="unresolved")

    page = image_tree(a_weighing(image))

    assert "its line is not known" in page.by_id("l1").text
    assert "its line is not known" in page.by_id("l2").text


def test_problems_and_warnings_stand_above_the_numbers_and_leave_them() -> None:
    weighing = an_image_of(100, 200)
    broken = replace(
        weighing.images[0],
        problems=(Problem("config_unreadable", "Its config could not be read."),),
    )

    page = image_tree(
        replace(weighing, images=(broken,), warnings=("The tag is gone.",))
    )

    assert [b.text for b in page.all("div", "banner")] == [
        "The tag is gone.",
        "Its config could not be read.",
    ]
    assert page.one("table", "lines").one("tfoot").amounts() == [300, 600]


def test_a_registry_that_is_down_is_said_and_the_numbers_stay() -> None:
    report = dataclasses.replace(
        a_repository_report("library/python"),
        state="unreachable",
        state_reason="no answer within 60 s",
    )

    page = image_tree(python_3_7(), [], report)

    banner = page.one("div", "bad")
    assert "no answer within 60 s" in banner.text
    assert "2026-09-22 09:28 UTC" in banner.text
    assert page.one("table", "lines").one("tfoot").amounts()[0] == 347_653_336


def test_what_is_no_image_is_named_as_what_it_is() -> None:
    chart = replace(a_weighing(tag="0.9.2"), kind="artifact", platforms=())

    page = image_tree(chart)

    assert page.one("p", "verdict").text.startswith("An artifact, not an image")
    assert page.all("table", "lines") == []


def test_an_attestation_counts_in_storage_and_in_no_image() -> None:
    other = Other(a_digest("sbom"), "application/vnd.oci.image", "attestation", 17_800)

    page = image_tree(replace(an_image_of(100), others=(other,)))

    (row,) = page.all("table")[-1].one("tbody").all("tr")
    assert row.one("th").text == "attestation"
    assert row.amounts() == [17_800]
    assert page.one("table", "lines").one("tfoot").amounts()[0] == 100


def test_markup_in_a_line_is_text__config_blob_001() -> None:
    layers = [a_weighed_layer("a", 100, measured(300))]
    image = a_weighed_image(layers, [(MARKUP, 0), (f"LABEL x={MARKUP}", None)])
    hostile = a_weighing(image, repository='"><svg onload=alert(3)>', tag=None)

    page = image_tree(hostile, ["<b>alias</b>"])

    assert MARKUP in page.one("pre", "code").text
    assert MARKUP in page.one("details").text
    assert [s.attributes for s in page.all("script")] == [
        {"src": "/static/app.js", "defer": ""}
    ]
    assert page.all("img") == []
    assert not any(
        "onload" in e.attributes or "onerror" in e.attributes for e in page.all()
    )


def test_no_page_has_a_style_attribute_or_an_inline_script() -> None:
    html = image_html(python_3_7())

    assert " style=" not in html
    assert "<style" not in html
    assert html.count("<script") == 1


def test_a_line_of_four_thousand_characters_is_whole_in_the_table() -> None:
    text = "RUN " + "echo word && " * 320
    layers = [a_weighed_layer("a", 100, measured(300))]

    page = image_tree(a_weighing(a_weighed_image(layers, [(text.strip(), 0)])))

    assert page.by_id("l1").one("td", "cmd").text.endswith("echo word &&")
    assert len(page.one("p", "verdict").text) < 130


def test_a_disputed_layer_shows_the_manifests_figure_beside_the_registrys() -> None:
    honest = a_weighed_layer("honest", 500, measured(900))
    lied = a_weighed_layer("lied", 3_000_000, measured(4_000_000), claimed_bytes=1)
    image = a_weighed_image([honest, lied], [("RUN a", 0), ("COPY b /", 1)])

    page = image_tree(a_weighing(image))

    figure = page.one("dl", "figures").all("div")[0]
    title = figure.one("span", "whose").attributes["title"]
    assert "the registry says 3,000,500 bytes" in title
    assert "the manifest 501 bytes" in title
    assert "the manifest says 501 B" in figure.text
    cell = page.by_id("l2").one("td", "sz")
    assert cell.one("span", "whose").attributes["title"].startswith("Disputed: ")
    assert cell.text == "≠3.00 MB manifest: 1 B"
    assert page.by_id("l1").all("span", "whose") == []


def test_a_claimed_layer_is_marked_and_says_that_nobody_has_confirmed_it() -> None:
    claimed = a_weighed_layer("claimed", 500, measured(900), claim_reason="no_length")
    image = a_weighed_image([claimed], [("RUN a", 0)])

    page = image_tree(a_weighing(image))

    figure = page.one("dl", "figures").all("div")[0]
    assert "not confirmed by the registry" in figure.text
    mark = page.by_id("l1").one("td", "sz").one("span", "whose")
    assert mark.text == "?"
    assert "the manifest says 500 bytes" in mark.attributes["title"]


def test_sizes_that_the_registry_confirms_have_no_mark() -> None:
    assert image_tree(python_3_7()).all("span", "whose") == []


def on_a_base(
    weighing: Weighing, base: BaseInWords, *, layers: int | None = None
) -> Weighing:
    """The same image, standing on this base."""
    (image,) = weighing.images
    found = image.on_base(replace(base, layers=layers))
    return replace(weighing, images=(found,))


BUILDPACK = BaseInWords(
    "library/buildpack-deps:bullseye",
    ("library/buildpack-deps:11", "library/buildpack-deps:latest"),
    6,
    "base",
    "layers",
)


def test_the_layers_of_the_base_are_apart_from_the_images_own() -> None:
    page = image_tree(on_a_base(python_3_7(), BUILDPACK, layers=6))

    base, own = page.by_id("lbase"), page.by_id("lown")
    rows = page.one("table", "lines").one("tbody").all("tr")
    order = [row.attributes.get("id", "") for row in rows]
    assert order[:9] == ["lbase", "l1", "l2", "l3", "l4", "l5", "l6", "lown", "l7"]
    assert "FROM buildpack-deps:bullseye 6 layers" in base.text
    assert "also buildpack-deps:11, buildpack-deps:latest" in base.text
    assert base.amounts()[0] + own.amounts()[0] == 347_653_336
    of_base = [row.attributes["id"] for row in rows if "base" in row.classes]
    assert of_base == ["lbase", "l1", "l2", "l3", "l4", "l6"]
    facts = next(
        s.text
        for s in page.all("section")
        if s.attributes.get("aria-labelledby") == "im"
    )
    assert "Base buildpack-deps:bullseye" in facts


def test_the_lines_of_the_base_are_folded_but_for_the_heaviest() -> None:
    page = image_tree(on_a_base(python_3_7(), BUILDPACK, layers=6))

    base, own = page.by_id("lbase"), page.by_id("lown")
    assert base.one("details").one("summary").text == "6 layers"
    assert "open" not in base.one("details").attributes
    rows = page.one("table", "lines").one("tbody").all("tr", "fold")
    assert [row.attributes["id"] for row in rows] == ["l1", "l2", "l3", "l4", "l6"]
    on_disk = [row.amounts()[-1] for row in (base, own)]
    assert sum(on_disk) == 912_349_696
    links = [a.attributes["href"] for a in page.one("svg", "layerbar").all("a")]
    assert links[:3] == ["#lbase", "#l5", "#lbase"]


def test_an_image_with_no_lines_but_the_bases_shows_these() -> None:
    page = image_tree(on_a_base(python_3_7(), BUILDPACK, layers=9))

    assert page.by_id("lbase").all("details") == []
    assert page.one("table", "lines").all("tr", "fold") == []


def test_the_bar_has_the_base_as_one_part_but_for_the_heaviest_line() -> None:
    page = image_tree(on_a_base(python_3_7(), BUILDPACK, layers=6))

    rects = page.one("svg", "layerbar").all("rect")
    kinds = [next(c for c in rect.classes if c != "seg-gap") for rect in rects]
    assert kinds == ["o-base", "s-heavy", "o-base", "s-own", "s-own", "s-own"]
    widths = [float(rect.attributes["width"].removesuffix("%")) for rect in rects]
    assert round(sum(widths), 2) == 100


def test_an_image_that_is_all_base_has_no_lines_of_its_own() -> None:
    page = image_html(on_a_base(python_3_7(), BUILDPACK, layers=9))

    assert 'id="lbase"' in page
    assert 'id="lown"' not in page


def test_a_relative_is_not_called_the_base() -> None:
    relative = replace(BUILDPACK, relation="relative")

    page = image_tree(on_a_base(python_3_7(), relative, layers=6))

    text = page.by_id("lbase").text
    assert "FROM" not in text
    assert text.startswith("1\u20136 Shared with buildpack-deps:bullseye 6 layers")
    assert "what it was built on is not known" in text


def test_what_an_annotation_alone_says_draws_no_boundary() -> None:
    said = replace(BUILDPACK, found_by="annotation")

    page = image_html(on_a_base(python_3_7(), said))

    assert 'id="lbase"' not in page
    assert "by its annotation alone" in page


def test_the_name_of_a_base_is_text() -> None:
    said = replace(BUILDPACK, reference=f"evil.example/{MARKUP}:1")

    page = image_html(on_a_base(python_3_7(), said, layers=6))

    assert "<script>alert" not in page


def test_where_else_the_image_is_leads_there_by_its_digest() -> None:
    holders = [
        OtherRepository("lab", "mirror/python", 2),
        OtherRepository("hub", "many", 0),
    ]
    weighing = python_3_7()

    page = image_tree(weighing, whereabouts=Whereabouts(holders, 1_000, is_more=True))

    places = page.one("ul", "places")
    assert [each.text for each in places.all("li")] == [
        "lab/mirror/python 2 tags",
        "hub/many in an index",
        "and more than 998 other repositories",
    ]
    link = places.all("a")[0].attributes["href"] or ""
    digest = weighing.images[0].digest
    assert unquote(link) == f"/image?ref=lab/mirror/python@{digest}"


@pytest.mark.parametrize(
    ("pushed", "is_first", "short", "whole"),
    [
        (True, False, "pushed 1 h ago", "as the registry or a webhook says"),
        (False, False, "moved 3 h ago", "when it was seen there"),
        (False, True, "first seen 3 h ago", "or before, when it was first seen"),
    ],
)
def test_since_when_the_tag_leads_here_says_how_that_is_known(
    pushed: bool, is_first: bool, short: str, whole: str
) -> None:
    at = NOW - timedelta(hours=1) if pushed else None
    since = TagSince(at, NOW - timedelta(hours=3), is_first)

    page = image_tree(python_3_7(), whereabouts=Whereabouts(since=since))

    assert short in page.one("p", "meta").text
    facts = page.all("dl", "facts")[-2].text
    assert f"{at or since.seen_at:%Y-%m-%d %H:%M:%S} UTC {whole}" in facts
    assert "Also in no other repository" in facts


def test_parts_of_the_page_are_reached_by_links_within_it() -> None:
    page = image_tree(python_3_7())

    (tabs,) = [n for n in page.all("nav") if "tabs" in n.classes]
    targets = [link.attributes["href"] or "" for link in tabs.all("a")]
    assert targets == ["#li", "#he", "#im", "#ot"]
    assert [page.by_id(target[1:]).text for target in targets] == [
        "Lines",
        "◆ Line 5",
        "Image",
        "Not pulled",
    ]
