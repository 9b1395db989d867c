"""What is printed is no command to the runner of a CI service, whoever wrote it."""

import json
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.checks import HOSTILE, an_image_of
from support.read_model import a_weighing
from weighbridge.cli.process.streams import Aside, emit
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.size.weighing import Weighing
from weighbridge.presentation.forms.runner_commands import defused
from weighbridge.presentation.forms.screen import Screen
from weighbridge.presentation.image.weighing_table import (
    inspect_csv,
    inspect_json,
    inspect_markdown,
    render_inspect,
)

# GitHub, Azure Pipelines, TeamCity, each as its runner looks for it.
COMMAND = re.compile(r"##[a-z]*\[", re.IGNORECASE)
FIRST_ON_A_LINE = re.compile(r"(?:^|[\r\n])\s*::")
MARKS = ("##[", "##vso[", "##VSO[", "##teamcity[", "#", "::", ":", "\n", "\r", "\t")
ANY_TEXT = st.lists(st.text() | st.sampled_from(MARKS)).map("".join)
OF_RUNNERS = (
    "RUN ##vso[task.setvariable variable=PATH]/tmp",
    "RUN ##teamcity[setParameter name='env.PATH' value='/tmp']",
    "RUN <<EOF\n::set-output name=token::stolen\n \t::add-mask::a\nEOF",
)


def inspected(weighing: Weighing, form: str) -> str:
    """What `weighbridge inspect -o FORM` prints."""
    if form == "json":
        return inspect_json(weighing)
    if form == "csv":
        return inspect_csv(weighing)
    if form == "markdown":
        return inspect_markdown(weighing, Screen())
    return render_inspect(weighing, Screen())


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "json"])
@pytest.mark.parametrize("line", [*HOSTILE, *OF_RUNNERS])
def test_nothing_that_inspect_prints_is_a_command(
    form: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    image = an_image_of(1, 90, lines=("ADD /", line), platform=Platform(line, "x"))

    emit(inspected(a_weighing(image), form))

    out = capsys.readouterr().out
    assert COMMAND.search(out) is None
    assert FIRST_ON_A_LINE.search(out) is None


@given(ANY_TEXT)
def test_no_text_is_a_command(text: str) -> None:
    shown = defused(text)

    assert COMMAND.search(shown) is None
    if not text.startswith(("{", "[")):
        assert FIRST_ON_A_LINE.search(shown) is None


@given(st.dictionaries(ANY_TEXT, ANY_TEXT))
def test_json_means_what_it_meant(value: dict[str, str]) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)

    shown = defused(text)

    assert json.loads(shown) == value
    assert COMMAND.search(shown) is None
    assert re.search("^ *::", shown, re.MULTILINE) is None


@pytest.mark.parametrize(
    "text", ["RUN a", "a::b", "# heading", "## heading [x]", "C::std", "#[derive]", ""]
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert defused(text) == text


def test_what_is_said_beside_the_work_is_no_command_either() -> None:
    reader, writer = os.pipe()

    with Aside(open(writer, "wb"), encoding="utf-8") as aside:
        aside.write("warning: what is listed for ##vso[x]/y is no image\n")
        aside.write("::stop-commands::x\n")

    with open(reader, encoding="utf-8") as said:
        assert said.read() == (
            "warning: what is listed for ## vso[x]/y is no image\n: :stop-commands::x\n"
        )
