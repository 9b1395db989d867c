"""Which tags of a repository come one after the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.stream import stream_of

TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", fullmatch=True)


@pytest.mark.parametrize(
    ("tag", "stream"),
    [
        ("latest", "latest"),
        ("3", "#"),
        ("3.7", "#"),
        ("3.7.2", "#"),
        ("v1.20.3", "v#"),
        ("3.7-slim", "#-slim"),
        ("1.0.0-rc.1", "#-rc.#"),
        ("2024-01-31", "#-#-#"),
        ("20240131T1200Z", "#T#Z"),
        ("main-0ab12cd", "main-#"),
        ("0123456789abcdef0123456789abcdef01234567", "#"),
        ("sha-e83c516", "sha-#"),
        ("v1.2.3-14-g2414721", "v#-#-g#"),
        ("v1.2.3-15-g0ab12cd", "v#-#-g#"),
        ("v1.2.3-16-gab0012c-slim", "v#-#-g#-slim"),
        ("build_77", "build_#"),
        ("jre8", "jre#"),
        # Words of the letters a to f are words, and so is what is part of one.
        ("facade", "facade"),
        ("defaced", "defaced"),
        ("decade2", "#"),
        ("xdeadbeef1", "xdeadbeef#"),
        ("ABCDEF1", "ABCDEF#"),
    ],
)
def test_numbers_versions_and_commits_are_left_out(tag: str, stream: str) -> None:
    assert stream_of(tag) == stream


@given(TAGS)
def test_any_tag_has_a_stream_without_a_number(tag: str) -> None:
    stream = stream_of(tag)

    assert not any(character.isdigit() for character in stream)
    assert len(stream) <= len(tag)
    assert stream_of(stream) == stream


@given(st.text())
def test_any_text_has_a_stream(text: str) -> None:
    assert len(stream_of(text)) <= len(text)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_versions_of_one_thing_are_one_stream(one: int, other: int) -> None:
    assert stream_of(f"app-{one}.{other}-alpine") == stream_of(f"app-{other}-alpine")
