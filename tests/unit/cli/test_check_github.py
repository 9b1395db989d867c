"""Annotations in a workflow: the runner reads commands that are ours, and no others."""

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.checks import HOSTILE, MB, TORCH, a_check, an_image_of, grown_by_torch
from support.read_model import ARM
from weighbridge.domain.image.platform import Platform
from weighbridge.presentation.check.check_table import render_check
from weighbridge.presentation.check.github_workflow import annotations, at_line, command
from weighbridge.presentation.forms.runner_commands import defused, defused_words
from weighbridge.presentation.forms.screen import Screen

ANY_TEXT = st.lists(
    st.text()
    | st.sampled_from(["%", "%0A", "%25", "%3A", "25", "\r\n", "::", ",", "##[x]"])
).map("".join)


@dataclass(frozen=True, slots=True)
class Read:
    """A command as the runner reads it."""

    kind: str
    properties: dict[str, str]
    data: str


_OF_DATA = (("%0D", "\r"), ("%0A", "\n"))
_OF_PROPERTIES = (*_OF_DATA, ("%3A", ":"), ("%2C", ","))


def unescaped(text: str, pairs: tuple[tuple[str, str], ...] = _OF_DATA) -> str:
    """As ActionCommand.cs does it: the percent sign comes last."""
    for escaped, character in (*pairs, ("%25", "%")):
        text = text.replace(escaped, character)
    return text


def read_by_runner(line: str) -> Read | None:
    """What actions/runner takes from a line of a log; None: it is only shown.

    Both syntaxes: `::` at the start, blanks left out, and `##[` anywhere.
    """
    if (found := re.match(r"\s*::(.*?)::(.*)$", line, re.DOTALL)) is not None:
        kind, _, rest = found[1].partition(" ")
        pairs = [part.partition("=") for part in rest.split(",") if part]
        properties = {
            name.strip(): unescaped(value, _OF_PROPERTIES) for name, _, value in pairs
        }
        return Read(kind, properties, unescaped(found[2]))
    if (found := re.search(r"##\[([^\]]*)\](.*)$", line, re.DOTALL)) is not None:
        return Read(found[1], {}, found[2])
    return None


def test_each_limit_that_is_exceeded_is_one_error_with_the_line() -> None:
    compressed, growth = map(read_by_runner, annotations(grown_by_torch()))

    assert compressed == Read(
        "error",
        {"title": "hub/shop/api:1.5.0: compressed over its limit"},
        "linux/amd64: 1.08 GB, limit 500 MB; over by 582 MB, policy services; "
        f"+612 MB compressed by line 3: {TORCH}\n"
        "make these lines lighter, or raise max_compressed of policy services "
        "(services.yaml:2) and max_growth of policy services (services.yaml:3)",
    )
    assert growth is not None
    assert growth.properties == {"title": "hub/shop/api:1.5.0: growth over its limit"}


def test_one_limit_is_told_once_for_all_platforms() -> None:
    images = [
        an_image_of(9, platform=Platform("linux", f"arch{number}"), name=number)
        for number in range(40)
    ]

    found = annotations(a_check(*images, max_compressed=MB))

    assert len(found) == 1
    read = read_by_runner(found[0])
    assert read is not None
    assert "and 30 more platforms" in read.data


def test_what_passes_is_one_notice_with_the_numbers() -> None:
    (line,) = annotations(a_check(an_image_of(10), max_compressed=20 * MB))

    assert read_by_runner(line) == Read(
        "notice",
        {"title": "hub/shop/api:1.5.0 within its limits"},
        "linux/amd64: compressed 10.0 MB, limit 20.0 MB",
    )


def test_a_platform_that_could_not_be_read_is_an_error() -> None:
    check = replace(a_check(an_image_of(1), max_layers=5), not_weighed=(ARM,))

    (line,) = annotations(check)

    assert line == "::error title=hub/shop/api%3A1.5.0 could not be read::linux/arm64"


@pytest.mark.parametrize("line", HOSTILE)
def test_no_strangers_line_is_a_command(line: str) -> None:
    check = a_check(
        an_image_of(1, 900, lines=("ADD /", line), platform=Platform("linux", line)),
        policy=line,
        max_compressed=MB,
    )
    table = defused(render_check(check, Screen()))

    printed = "\n".join([table, *annotations(check)])

    found = list(filter(None, map(read_by_runner, re.split(r"\r\n|\r|\n", printed))))
    assert [read.kind for read in found] == ["error"]
    assert found[0].properties.keys() == {"title"}


@given(ANY_TEXT, ANY_TEXT)
def test_any_text_comes_out_of_a_command_as_it_went_in(title: str, text: str) -> None:
    line = command("warning", title, text)

    read = read_by_runner(line)

    assert "\n" not in line
    assert "\r" not in line
    assert read == Read("warning", {"title": defused_words(title)}, defused_words(text))


def test_an_annotation_can_stand_beside_a_line() -> None:
    read = read_by_runner(command("error", "t", "x", at_line("a,b:c/Dockerfile", 7)))

    assert read is not None
    assert read.properties == {"title": "t", "file": "a,b:c/Dockerfile", "line": "7"}
