"""Text from strangers stays one visible line that UTF-8 can hold."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.text.printable import printable

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("plain text", "plain text", id="plain"),
        pytest.param("Größe 10 ÷ 3, 尺寸", "Größe 10 ÷ 3, 尺寸", id="other-scripts"),
        pytest.param("a\r\nb\tc", r"a\r\nb\tc", id="line-ends"),
        pytest.param("\x1b[2Jgone", r"\x1b[2Jgone", id="terminal-escape"),
        pytest.param("\x9b31m", r"\x9b31m", id="c1-escape"),
        pytest.param("\u202egnp.exe", r"\u202egnp.exe", id="bidi-override"),
        pytest.param("a\u2066b\u2069", r"a\u2066b\u2069", id="bidi-isolate"),
        pytest.param("a\u200bb", r"a\u200bb", id="zero-width"),
        pytest.param("one\u2028two", r"one\u2028two", id="line-separator"),
        pytest.param("acme/\ud800", r"acme/\ud800", id="metrics-002"),
        pytest.param("\U000e0041", r"\U000e0041", id="tag-character"),
    ],
)
def test_what_a_terminal_would_act_on_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert printable("abcdefghij", 5) == "abcd…"
    assert printable("abcde", 5) == "abcde"
    assert printable("\x00\x00", 5) == r"\x00…"


@given(ANY_TEXT, st.none() | st.integers(1, 40))
def test_any_text_becomes_one_line_of_utf8(text: str, characters: int | None) -> None:
    shown = printable(text, characters)

    assert shown.encode().decode() == shown
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in shown)
    assert characters is None or len(shown) <= characters
    assert printable(shown, characters) == shown
