"""Where it is not known which line made which layer, no page says 0 or a number."""

import dataclasses

import pytest
from msgspec.structs import replace

from support.html import Element
from support.pages import image_tree, overview_tree, repository_tree
from support.read_model import (
    a_registry_report,
    a_repository_report,
    a_weighed_image,
    a_weighed_layer,
    a_weighing,
    measured,
)
from weighbridge.domain.image.document import Problem
from weighbridge.domain.image.image_config import LINE_UNKNOWN, NOT_IN_HISTORY, SQUASHED
from weighbridge.domain.size.weighing import Weighing

LAYERS = [
    a_weighed_layer("a", 290, measured(700)),
    a_weighed_layer("b", 710, measured(1300)),
]


def unresolved(*texts: str) -> Weighing:
    """Two layers, and a history of these lines that does not fit them."""
    unexplained = LINE_UNKNOWN if texts else NOT_IN_HISTORY
    lines: list[tuple[str, int | None]] = [(text, None) for text in texts]
    lines += [(unexplained, 0), (unexplained, 1)]
    problem = Problem("history_mismatch", "the history's 3 lines do not fit 2 layers")
    problems = (problem,) if texts else ()
    return a_weighing(
        a_weighed_image(LAYERS, lines, alignment="unresolved", problems=problems)
    )


def squashed() -> Weighing:
    """A layer of its own, then four lines that were committed as one layer."""
    lines: list[tuple[str, int | None]] = [
        ("ADD rootfs.tar /", 0),
        ("ENV A=b", None),
        ("RUN make", None),
        ("COPY . /app", None),
        ('CMD ["app"]', None),
        (SQUASHED, 1),
    ]
    return a_weighing(a_weighed_image(LAYERS, lines, alignment="inferred"))


def rows(page: Element) -> list[Element]:
    """The rows of the table, headings left out."""
    body = page.one("table", "lines").one("tbody")
    return [row for row in body.all("tr") if "part" not in row.classes]


def banners(page: Element) -> list[str]:
    return [banner.text for banner in page.all("div", "banner")]


def figure(page: Element, name: str) -> str:
    (found,) = [
        div.one("dd").text
        for div in page.one("dl", "figures").all("div")
        if div.one("dt").text == name
    ]
    return found


def test_a_line_whose_layer_is_not_known_is_listed_as_unknown() -> None:
    page = image_tree(unresolved("RUN make", "ENV A=b", "COPY . /app"))

    lines = [row for row in rows(page) if "id" not in row.attributes]
    assert [row.one("td", "cmd").text for row in lines] == [
        "RUN make",
        "ENV A=b",
        "COPY . /app",
    ]
    for row in lines:
        assert row.amounts() == []
        assert [word.text for word in row.all("span", "unknown")] == ["unknown"] * 2
        assert row.one("td", "pct").text == ""
    assert page.all("details") == []


def test_the_layers_of_such_an_image_still_sum_to_it() -> None:
    page = image_tree(unresolved("RUN make"))

    assert [page.by_id(key).amounts() for key in ("l1", "l2")] == [
        [290, 700],
        [710, 1300],
    ]
    assert page.one("table", "lines").one("tfoot").amounts() == [1000, 2000]


def test_what_stands_for_a_line_is_neither_numbered_nor_coloured() -> None:
    page = image_tree(unresolved("RUN make"))

    for key in ("l1", "l2"):
        row = page.by_id(key)
        assert row.one("td", "ix").text == "·"
        assert row.one("td", "cmd").all("b") == []
        assert LINE_UNKNOWN not in row.text
        assert "its line is not known" in row.text


def test_the_headline_names_the_layer_and_no_line() -> None:
    page = image_tree(unresolved("RUN make"))

    assert page.one("p", "verdict").text == (
        "◆ Its largest layer, whose line is not known, is 71.0 % of its compressed "
        "bytes"
    )
    assert [h2.text for h2 in page.one("aside").all("h2")] == ["◆ Layer 2", "Image"]
    assert page.all("pre", "code") == []
    assert "◆ layer 2 · 710 B" in page.one("svg", "layerbar").text


@pytest.mark.parametrize(
    ("texts", "words", "foot"),
    [
        (["RUN make"], "2 beside a history of 1 line", "2 layers, 1 line"),
        (["RUN a", "RUN b", "CMD c"], "2 beside a history of 3 lines", "2 layers, 3"),
        ([], "2 no history", "2 layers, no history"),
    ],
)
def test_only_lines_are_counted_as_lines(
    texts: list[str], words: str, foot: str
) -> None:
    page = image_tree(unresolved(*texts))

    assert figure(page, "Layers") == words
    assert page.one("table", "lines").one("tfoot").text.startswith(foot)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["RUN a"], "The 1 line of its history does not fit its 2 layers"),
        (["RUN a", "RUN b", "RUN c"], "The 3 lines of its history do not fit its 2"),
        ([], "It has no history"),
    ],
)
def test_a_mismatch_is_said_once(texts: list[str], sentence: str) -> None:
    (said,) = banners(image_tree(unresolved(*texts)))

    assert said.startswith(sentence)


def test_a_config_that_could_not_be_read_is_the_one_cause() -> None:
    weighing = unresolved()
    problem = Problem("config_missing", "the registry does not have the config")
    broken = replace(weighing.images[0], problems=(problem,))

    page = image_tree(replace(weighing, images=(broken,)))

    assert banners(page) == ["the registry does not have the config"]


def test_a_squashed_layer_is_said_to_be_of_several_lines() -> None:
    page = image_tree(squashed())

    assert page.one("p", "verdict").text == (
        "◆ One layer made by several lines is 71.0 % of its compressed bytes"
    )
    assert page.by_id("l2").one("td", "ix").text == "·"
    assert page.by_id("l2").one("td", "cmd").all("b") == []
    assert figure(page, "Layers") == "2 of 5 lines"
    (said,) = banners(page)
    assert said.startswith("Several lines were committed as one layer")


def test_lines_of_a_squashed_layer_are_in_it_and_not_nothing() -> None:
    page = image_tree(squashed())

    sizes = {row.one("td", "cmd").text: row.one("td", "sz").text for row in rows(page)}
    assert sizes["RUN make"] == sizes["COPY . /app"] == "in layer 2"
    assert page.one("summary").text == "ENV, CMD (2 metadata lines)"


def test_percents_are_said_to_be_of_compressed_bytes() -> None:
    page = image_tree(squashed())

    heads = [th.text for th in page.one("table", "lines").one("thead").all("th")]
    assert "% of compressed" in heads


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        (LINE_UNKNOWN, "line not known", "Which line made its largest layer is not"),
        (NOT_IN_HISTORY, "line not known", "Which line made its largest layer is not"),
        (SQUASHED, "several lines, squashed", "One layer made by several lines"),
    ],
)
def test_lists_have_words_where_there_is_no_heaviest_line(
    text: str, words: str, sentence: str
) -> None:
    report = dataclasses.replace(a_repository_report(), heaviest_instruction=text)

    overview = overview_tree([a_registry_report()], [report])
    repository = repository_tree(report, [])

    cell = overview.one("td", "cmdcell")
    assert (cell.text, cell.all("code")) == (words, [])
    assert text not in overview.text + repository.text
    verdict = repository.one("p", "verdict")
    assert verdict.text.startswith(f"◆ {sentence}")
    assert verdict.all("code") == []
