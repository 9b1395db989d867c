"""Platforms have one spelling, and one image of an index is pulled for each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.image.platform import (
    UNKNOWN,
    ListedImage,
    Platform,
    choose,
    normalised,
    parse_platform,
    pulled_as,
    pulled_for,
    reference_platform,
)

AMD = Platform("linux", "amd64")
ARM = Platform("linux", "arm64")
I386 = Platform("linux", "386")


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("linux/x86_64", "linux/amd64"),
        ("linux/x86-64", "linux/amd64"),
        ("Linux/AMD64/v1", "linux/amd64"),
        ("linux/amd64/V3", "linux/amd64/v3"),
        ("linux/i386/v2", "linux/386"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/v8.0", "linux/arm64"),
        ("linux/arm64/9", "linux/arm64/v9"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armhf/v6", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/5", "linux/arm/v5"),
        ("linux/arm/8", "linux/arm/v8"),
        ("macOS/arm64", "darwin/arm64"),
        ("linux/s390x", "linux/s390x"),
    ],
)
def test_a_name_is_read_as_containerd_reads_it(written: str, means: str) -> None:
    assert str(parse_platform(written)) == means


@given(*[st.text("aAmMdDxX8_64-vV7 ", max_size=8)] * 3)
def test_what_is_normalised_stays_as_it_is(
    os: str, architecture: str, variant: str
) -> None:
    once = normalised(os, architecture, variant)

    assert normalised(once.os, once.architecture, once.variant) == once


@pytest.mark.parametrize(
    ("listed", "pulled"),
    [
        ([ARM, AMD, I386], AMD),
        ([ARM, I386], I386),
        ([ARM, UNKNOWN], UNKNOWN),
        ([UNKNOWN, I386], I386),
        ([ARM], None),
    ],
)
def test_a_host_of_amd64_pulls_what_fits_it_best(
    listed: list[Platform], pulled: Platform | None
) -> None:
    assert pulled_for(listed, AMD) == pulled


def test_the_headline_is_what_the_reference_platform_pulls() -> None:
    assert reference_platform([ARM, I386]) == I386
    assert reference_platform([ARM, Platform("linux", "s390x")]) == ARM
    assert reference_platform([ARM, AMD], [ARM]) == ARM


def test_an_index_says_the_platform_where_it_says_one() -> None:
    windows = Platform("windows", "amd64")
    build = Platform("windows", "amd64", "", "10.0.1")

    assert pulled_as(None, ARM) == ARM
    assert pulled_as(AMD, ARM) == AMD
    assert pulled_as(windows, build) == build


def test_an_entry_that_says_its_platform_comes_before_one_that_says_none() -> None:
    silent = ListedImage(AMD, ((None, 0),), "silent")
    nested = ListedImage(AMD, ((ARM, 1), (AMD, 0)), "nested")
    second = ListedImage(AMD, ((AMD, 3),), "second")
    first = ListedImage(AMD, ((AMD, 2),), "first")
    other = ListedImage(ARM, ((ARM, 4),), "other")

    pulled, others = choose([silent, nested, second, first, other])

    assert pulled == {AMD: "first", ARM: "other"}
    assert [each.image for each in others] == ["silent", "nested", "second"]
