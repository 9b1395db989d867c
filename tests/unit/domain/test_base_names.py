"""What a base is called, of the many tags that lead to it."""

from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.base.names import (
    BaseName,
    annotated_text,
    choose_names,
    written,
)
from weighbridge.domain.image.reference import parse_reference

T0: Final = datetime(2026, 3, 1, tzinfo=UTC)
NOW: Final = T0 + timedelta(days=30)


def named(*tags: str, repository: str = "library/debian") -> list[BaseName]:
    return [BaseName("docker.io", repository, tag, T0) for tag in tags]


def chosen(*tags: str) -> str:
    found = choose_names(named(*tags), NOW)
    assert found is not None
    return found[0].rpartition(":")[2]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("9 9.3 latest stretch stretch-20171210", "stretch"),
        ("9-slim 9.3-slim stretch-slim", "stretch-slim"),
        ("16.04 latest xenial xenial-20180123", "xenial"),
        ("17.10 artful artful-20180123 rolling", "artful"),
        ("3.7 latest", "3.7"),
        ("2 2.7 2.7.14 2-jessie 2.7-jessie 2.7.14-jessie", "2.7"),
        ("3 3.6 3.6.4 3-jessie 3.6-jessie 3.6.4-jessie jessie latest", "3.6"),
        ("scm stretch-scm", "stretch-scm"),
        ("8-jre 8-jre-stretch 8u151-jre 8u151-jre-stretch jre jre-stretch", "8-jre"),
        ("7-fpm 7.2-fpm 7.2.1-fpm 7.2-fpm-stretch fpm fpm-stretch", "7.2-fpm"),
        ("17 17.12 17.12.0 17.12.0-ce stable", "17.12"),
        ("9.0 9.0.19 9.0-bookworm-slim 9.0-bookworm-slim-amd64", "9.0"),
        ("latest 1f2e3d4c5b6a", "latest"),
        ("nonroot latest debug", "debug"),
        ("3.6.4", "3.6.4"),
        ("latest", "latest"),
    ],
)
def test_the_tag_that_people_write_is_chosen(tags: str, expected: str) -> None:
    assert chosen(*tags.split()) == expected


def test_docker_hubs_own_repository_comes_before_a_copy_of_it() -> None:
    names = [
        BaseName("quay.io", "acme/debian", "stretch", T0 - timedelta(days=9)),
        BaseName("docker.io", "acme/debian", "stretch", T0 - timedelta(days=9)),
        BaseName("docker.io", "library/debian", "stretch", T0),
    ]

    assert choose_names(names, NOW) == (
        "library/debian:stretch",
        ("acme/debian:stretch", "quay.io/acme/debian:stretch"),
    )


def test_a_tag_that_led_there_for_an_hour_is_not_its_name() -> None:
    passing = BaseName(
        "docker.io", "library/node", "6.0", T0, left_at=T0 + timedelta(hours=1)
    )
    names = [passing, *named("6", "6.12.3", repository="library/node")]

    found = choose_names(names, NOW)

    assert found is not None
    assert found[0] == "library/node:6"


def test_thousands_of_names_of_one_base_are_looked_at_once_each() -> None:
    """A base's repository with a tag for each build, most of which change no layer."""
    names = named(*(f"1.{n % 50}.{n}-build" for n in range(8_000)), "1.4-build")
    began = process_time()

    found = choose_names(names, NOW)

    assert process_time() - began < 3.0
    assert found is not None
    assert found[0] == "library/debian:1.4-build"
    assert len(found[1]) == 50


def test_no_name_is_no_name() -> None:
    assert choose_names([], NOW) is None


_TAGS = st.sampled_from(
    ["9", "9.3", "9.3.1", "latest", "stretch", "stretch-20171210", "slim", "a" * 128]
) | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
_NAMES = st.builds(
    BaseName,
    host=st.sampled_from(["docker.io", "quay.io"]),
    repository=st.sampled_from(["library/debian", "acme/base"]),
    tag=_TAGS,
    first_seen_at=st.datetimes(timezones=st.just(UTC)),
    left_at=st.none() | st.datetimes(timezones=st.just(UTC)),
)


@given(st.lists(_NAMES, min_size=1, max_size=12))
def test_the_choice_is_one_of_the_names_and_does_not_depend_on_their_order(
    names: list[BaseName],
) -> None:
    found = choose_names(names, NOW)
    again = choose_names(list(reversed(names)), NOW)

    assert found == again
    assert found is not None
    references = {name.reference for name in names}
    assert {found[0], *found[1]} == references
    assert found[0] not in found[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("debian:stretch", "library/debian:stretch"),
        ("docker.io/library/debian", "library/debian:latest"),
        ("quay.io/acme/base:1", "quay.io/acme/base:1"),
        ("acme/base:1", "acme/base:1"),
        ("localhost:5000/base:1", "localhost:5000/base:1"),
        (f"debian@sha256:{'a' * 64}", f"library/debian@sha256:{'a' * 64}"),
    ],
)
def test_a_name_is_written_as_in_from_and_read_back_as_it_was(
    text: str, expected: str
) -> None:
    name = parse_reference(text)

    assert annotated_text(name) == expected
    assert parse_reference(expected) == name
    assert written("docker.io", "library/debian", "9") == "library/debian:9"
