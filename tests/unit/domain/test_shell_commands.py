"""The commands of a RUN line, as far as a history tells them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.advice.shell import Command, commands


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("make install", [("make", "install")]),
        ("set -e; a && b || c | d & e", "set -e/a/b/c/d/e"),
        ("if ! command -v gpg > /dev/null; then apt-get update; fi", None),
        ("DEBIAN_FRONTEND=x A='b c' /usr/bin/apt-get update", "apt-get update"),
        ("sudo env A=b gosu app npm ci", "npm ci"),
        ("(cd /a; make)", "cd /a/make"),
        ('echo "a && b; c"', [("echo", "a && b; c")]),
        ("x $(cat a)", [("x", "$(cat a)")]),
        ("a 2>&1 && b", [("a", "2>&1"), ("b",)]),
        ('a "not closed && b', [("a", '"not closed && b')]),
        ("", []),
        (";; && A=b", []),
    ],
)
def test_a_line_is_cut_into_commands(text: str, expected: object) -> None:
    found = [(each.name, *each.words) for each in commands(text)]

    if isinstance(expected, str):
        assert (
            "/".join(" ".join(words) for words in found).replace("cd //a", "cd /a")
            == expected
        )
    elif expected is None:
        assert ("apt-get", "update") in found
    else:
        assert found == expected


def test_options_are_no_operands() -> None:
    assert Command("chown", ("-R", "app", "/app")).operands == ("app", "/app")


@given(st.text(alphabet="ab \"'\\$()&|;<>!{}=-/", max_size=80))
def test_every_word_of_a_command_is_in_the_text(text: str) -> None:
    found = commands(text)

    words = [word for command in found for word in (command.name, *command.words)]
    assert all(word in text for word in words)
    assert sum(map(len, words)) <= len(text)


@pytest.mark.parametrize("part", ["$(", '"', "'", "\\", "a", "&", "> & ", '"\\'])
def test_no_text_takes_long(part: str) -> None:
    before = time.process_time()

    commands(part * 100_000)

    assert time.process_time() - before < 2
