"""The comment on a pull request: it renders, and nobody can write into it."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from support.checks import HOSTILE, MB, a_check, an_image_of, before, grown_by_torch
from support.read_model import ARM
from weighbridge.domain.check.image_check import ImageCheck
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.check.csv_json_markdown import (
    CHARACTERS,
    MARKER,
    check_markdown,
)
from weighbridge.presentation.forms.csv_json_markdown import code, markdown_table

OURS = frozenset(
    {"h3", "p", "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
)
ANY_TEXT = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("`|\\@<>[]()*_#!&\n -:/"))
)


class Page(HTMLParser):
    """What a forge makes of it: its elements, and the text outside of code."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.code: list[str] = []
        self.outside = ""
        self._open: list[str] = []
        html = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        self._open.append(tag)
        if tag == "code":
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if "code" in self._open:
            self.code[-1] += data
        else:
            self.outside += data


def hostile(line: str) -> ImageCheck:
    """A check in which a stranger's text stands wherever there is one."""
    heavy = an_image_of(1, 900, lines=("ADD /", line), platform=Platform("linux", line))
    return a_check(
        an_image_of(1, 900, lines=("ADD /", line)),
        heavy,
        against=before(an_image_of(1, 2, lines=("ADD /", "COPY . /"))),
        policy=line,
        max_compressed=MB,
        max_growth=0.1,
    )


def test_it_says_what_is_over_and_which_line_did_it() -> None:
    text = check_markdown(grown_by_torch()).replace("\u00a0", " ")

    assert text.startswith(
        f"{MARKER}\n### ❌ Over its limits\n\n`hub/shop/api:1.5.0` ("
    )
    assert (
        "| ❌ over | `linux/amd64` | compressed | 1.08 GB | 500 MB | ██████████ 216 % "
        "| over by 582 MB, policy `services` |"
    ) in text
    assert (
        "`linux/amd64`: changed since `:1.4.2`, compressed\n\n| Compressed | # |"
        in text
    )
    assert (
        "| +612 MB | 3 | added | `RUN pip install --no-cache-dir torch==1.13.1` |"
    ) in text
    assert "- Make these lines lighter, or raise max_compressed of policy" in text


def test_it_renders_as_two_tables_of_code_and_numbers() -> None:
    page = Page(check_markdown(grown_by_torch()))

    assert page.tags.count("table") == 2
    assert set(page.tags) <= OURS
    assert "|" not in page.outside


@pytest.mark.parametrize("line", HOSTILE)
def test_a_strangers_text_is_code_wherever_it_stands(line: str) -> None:
    plain = Page(check_markdown(hostile("RUN plain")))

    page = Page(check_markdown(hostile(line)))

    assert page.tags == plain.tags
    assert page.outside == plain.outside
    for word in ("@acme", "@octocat", "<script", "<img", "evil.example", "set-output"):
        assert word not in page.outside


@given(ANY_TEXT)
def test_any_text_is_one_cell_of_code(text: str) -> None:
    table = markdown_table(("a", "b"), [(code(printable(text)), "end")])

    page = Page(table)

    assert page.tags.count("td") == 2
    assert page.outside.split() == ["a", "b", "end"]
    assert set(page.tags) <= OURS


@given(st.lists(ANY_TEXT, max_size=4))
def test_any_lines_leave_the_shape_as_it_is(lines: list[str]) -> None:
    sizes = [1 + number for number in range(len(lines))]
    plain = a_check(an_image_of(*sizes), max_compressed=1)

    check = a_check(an_image_of(*sizes, lines=lines), max_compressed=1)

    plain_page, page = Page(check_markdown(plain)), Page(check_markdown(check))
    assert page.tags.count("tr") == plain_page.tags.count("tr")
    assert set(page.tags) <= OURS


@pytest.mark.parametrize("line", ["x" * 60_000, "`" * 5_000, "|" * 60_000, "é" * 9_000])
def test_it_fits_into_a_comment_of_github(line: str) -> None:
    images = [
        an_image_of(
            *range(1, 60),
            lines=[line] * 59,
            platform=Platform("linux", f"arch{number}"),
            name=number,
        )
        for number in range(100)
    ]

    text = check_markdown(a_check(*images, max_compressed=1, max_layers=1))

    assert len(text) <= CHARACTERS
    assert "and 60 more platforms" in text


def test_what_passes_has_no_lines_and_no_advice() -> None:
    text = check_markdown(a_check(an_image_of(10), max_compressed=20 * MB))

    assert "### ✅ Within its limits" in text
    assert "Dockerfile" not in text
    assert "raise" not in text


def test_the_worst_platform_comes_first() -> None:
    light, heavy = an_image_of(1), an_image_of(9, platform=ARM)

    text = check_markdown(a_check(light, heavy, max_compressed=5 * MB))

    assert text.index("linux/arm64") < text.index("linux/amd64")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a|b", "`a\\|b`"),
        # GitHub's reader would end the cell at the pipe behind two backslashes.
        ("a\\|b", "`a\\ \\|b`"),
        ("a\\\\|b", "`a\\\\ \\|b`"),
        ("`|`", "`` `\\|` ``"),
    ],
)
def test_a_pipe_never_ends_a_cell(text: str, cell: str) -> None:
    assert code(text) == cell
