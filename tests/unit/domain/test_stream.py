"""Which tags of a repository come one after the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.growth.newest import stream_of

TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", fullmatch=True)
PREFIXES = st.sampled_from(["", "main-", "sha-", "v1.2.3-4-g", "feature_x_"])
SUFFIXES = st.sampled_from(["", "-slim", ".dirty", "_arm64"])
WORDS = ("acceded", "defaced", "effaced")
COMMITS = st.text("0123456789abcdef", min_size=7, max_size=40).filter(
    lambda commit: commit not in WORDS
)
LETTERS = st.text("abcdef", min_size=7, max_size=12).filter(
    lambda commit: commit not in WORDS
)
GUIDS = st.uuids().map(str)


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
        ("20240131.3f2a9bc", "#.#"),
        ("1.4.3f2a9bc-slim", "#.#-slim"),
        ("deadbee", "#"),
        ("main-abcdefa", "main-#"),
        ("sha-deadbeefcafe", "sha-#"),
        ("v1.2.3-14-gfacadee", "v#-#-g#"),
        ("3f2a9bc1-12ab-4abc-9def-0123456789ab", "#"),
        ("build-3F2A9BC1-12AB-4ABC-9DEF-0123456789AB-slim", "build-#-slim"),
        ("12345678-1234-1234-1234-123456789012", "#"),
        ("1.12345678-1234-1234-1234-123456789012", "#.#"),
        # Words of the letters a to f are words, and so is what is part of one.
        ("facade", "facade"),
        ("main-decade", "main-decade"),
        ("defaced", "defaced"),
        ("effaced-1", "effaced-#"),
        ("xdeadbee", "xdeadbee"),
        ("deadbeex", "deadbeex"),
        ("1deadbeex", "#deadbeex"),
        ("ABCDEFA", "ABCDEFA"),
        ("decade2", "#"),
        ("xdeadbeef1", "xdeadbeef#"),
        ("ABCDEF1", "ABCDEF#"),
    ],
)
def test_numbers_versions_and_commits_are_left_out(tag: str, stream: str) -> None:
    assert stream_of(tag) == stream


@given(TAGS | st.text("0123abcdefgx-._#", max_size=48))
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


@given(PREFIXES, SUFFIXES, st.lists(COMMITS | LETTERS, min_size=2, max_size=2))
def test_commits_behind_one_prefix_are_one_stream(
    prefix: str, suffix: str, commits: list[str]
) -> None:
    streams = {stream_of(f"{prefix}{commit}{suffix}") for commit in commits}

    assert len(streams) == 1


@given(PREFIXES, SUFFIXES, st.lists(GUIDS, min_size=2, max_size=2), st.booleans())
def test_guids_behind_one_prefix_are_one_stream(
    prefix: str, suffix: str, guids: list[str], is_upper: bool
) -> None:
    cased = [guid.upper() if is_upper else guid for guid in guids]
    if prefix.endswith("g"):  # `git describe` is about commits.
        prefix += "-"

    assert len({stream_of(f"{prefix}{guid}{suffix}") for guid in cased}) == 1
