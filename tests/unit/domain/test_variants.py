"""Which tags are slimmer variants of a base, and what they save."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.base.names import name_in_from
from weighbridge.domain.base.savings import (
    StoredVariant,
    saving_json,
    saving_of,
)
from weighbridge.domain.base.variants import (
    VARIANT_KINDS,
    VariantKind,
    best_variants,
    caution_of,
    is_slim,
    is_variant,
    kind_of,
    names_a_version,
    tag_parts,
)
from weighbridge.domain.image.image_base import ImageBase, Relation

NOW = datetime(2026, 9, 22, 9, 40, tzinfo=UTC)
MB = 1_000_000


@pytest.mark.parametrize(
    ("full", "variant"),
    [
        ("3.7", "3.7-slim"),
        ("3.7", "3.7-alpine"),
        ("3.7", "3.7-alpine3.17"),
        ("3.7-bullseye", "3.7-slim-bullseye"),
        ("3.7-rc", "3.7-rc-alpine"),
        ("latest", "slim"),
        ("latest", "alpine"),
        ("stretch", "stretch-slim"),
        ("9.3", "9.3-slim"),
        ("3-trixie", "3-slim-trixie"),
        ("3-trixie", "3-alpine3.24"),
        ("8-stretch", "8-stretch-slim"),
        ("8-jdk", "8-jdk-slim"),
        ("7.2-fpm", "7.2-fpm-alpine"),
        ("3.7-slim", "3.7-alpine"),
        ("1.25", "1.25-alpine-slim"),
        ("1.25-alpine", "1.25-alpine-slim"),
        ("10.0", "10.0-noble-chiseled"),
        ("10.0-noble", "10.0-noble-chiseled"),
        ("10.0", "10.0-azurelinux3.0-distroless"),
    ],
)
def test_a_tag_says_what_it_is_a_variant_of(full: str, variant: str) -> None:
    assert is_variant(variant, full)
    assert any(mark in variant for mark in VARIANT_KINDS)


@pytest.mark.parametrize(
    ("full", "other"),
    [
        ("3.7", "3.7"),
        ("3.7", "3.8-slim"),
        ("3.7", "3.7.1-slim"),
        ("3.7", "3.7-stretch"),
        ("3.7", "3.7-rc-slim"),
        ("3.7-rc", "3.7-slim"),
        ("3-trixie", "3-slim-bookworm"),
        ("3-trixie", "3-slim"),
        ("8-jdk", "8-jre-slim"),
        ("7.2-fpm", "7.2-alpine"),
        ("3.7-alpine3.17", "3.7-alpine3.16"),
        ("3.7-slim", "3.7-slim-bullseye"),
        ("10.0-noble", "10.0-jammy-chiseled"),
        ("10.0", "10.0-noble-chiseled-extra"),
        ("stretch", "buster-slim"),
        ("latest", "sid-slim"),
        ("3.7", "3.7-slim-jessie"),
        ("latest", "3.7-slim"),
    ],
)
def test_another_version_flavour_or_release_is_no_variant(
    full: str, other: str
) -> None:
    assert not is_variant(other, full)


def test_of_each_sort_the_shortest_name_is_taken() -> None:
    tags = ["3.7-slim-bullseye", "3.7-alpine3.17", "3.7-slim", "3.7-alpine", "3.8-slim"]

    assert best_variants(tags, "3.7") == ["3.7-slim", "3.7-alpine"]


def test_a_variant_is_known_by_what_changes_most() -> None:
    kinds = [
        kind_of(t) for t in ("a-slim", "alpine-slim", "8.0-azurelinux3.0-distroless")
    ]

    assert kinds == ["slim", "alpine", "distroless"]
    assert kind_of("3.7") is None


def test_each_kind_has_a_caution() -> None:
    kinds: tuple[VariantKind, ...] = ("slim", "alpine", "chiseled", "distroless")

    said = {caution_of(kind, "library/python:3.7") for kind in kinds}

    assert len(said) == 4
    assert "musl" in caution_of("alpine", "library/node:8")
    assert "compiler" in caution_of("slim", "library/python:3.7")
    assert "compiler" not in caution_of("slim", "library/debian:stretch")


@given(st.text(max_size=40))
def test_every_tag_can_be_taken_apart(tag: str) -> None:
    parts = tag_parts(tag)

    assert len(parts.core) + len(parts.kinds) + bool(parts.suite) <= tag.count("-") + 1
    assert not is_variant(tag, tag)
    assert not parts.kinds or any(mark in tag for mark in VARIANT_KINDS)


def a_base(compressed_bytes: int | None, relation: Relation = "base") -> ImageBase:
    return ImageBase(
        reference="library/python:3.7",
        also=(),
        layers=9,
        compressed_bytes=compressed_bytes,
        share=0.9,
        relation=relation,
        found_by="layers",
    )


def a_variant(compressed_bytes: int, kind: VariantKind = "slim") -> StoredVariant:
    name = f"library/python:3.7-{kind}"
    return StoredVariant(kind, name, compressed_bytes, NOW)


def test_a_saving_is_what_the_base_weighs_more() -> None:
    saving = saving_of(a_base(347_653_336), a_variant(46_381_278))

    assert saving is not None
    assert saving.saved_bytes == 301_272_058
    assert saving.patch == "-FROM python:3.7\n+FROM python:3.7-slim"
    assert saving_json(saving) == {
        "kind": "slim",
        "base": "library/python:3.7",
        "base_compressed_bytes": 347_653_336,
        "variant": "library/python:3.7-slim",
        "variant_compressed_bytes": 46_381_278,
        "variant_seen_at": "2026-09-22T09:40:00Z",
        "saved_bytes": 301_272_058,
        "fleet": None,
        "patch": "-FROM python:3.7\n+FROM python:3.7-slim",
        "caution": saving.caution,
    }


def test_a_heavier_variant_saves_nothing() -> None:
    """Of 153 pairs of 2018 one is: traefik:1.5-alpine, 16.3 MB in place of 14.0 MB."""
    assert saving_of(a_base(14 * MB), a_variant(16 * MB, "alpine")) is None
    assert saving_of(a_base(14 * MB), a_variant(14 * MB)) is None


def test_nothing_is_said_of_what_is_no_base_for_certain() -> None:
    assert saving_of(a_base(14 * MB, "relative"), a_variant(MB)) is None
    assert saving_of(a_base(None), a_variant(MB)) is None


@given(st.integers(0, 2**50), st.integers(0, 2**50))
def test_a_saving_is_never_negative_nor_more_than_the_base(
    base: int, variant: int
) -> None:
    saving = saving_of(a_base(base), a_variant(variant))

    assert saving is None or 0 < saving.saved_bytes <= base


@pytest.mark.parametrize(
    ("reference", "written"),
    [
        ("library/python:3.7", "python:3.7"),
        ("acme/app:1", "acme/app:1"),
        ("harbor.example/library/python:3", "harbor.example/library/python:3"),
    ],
)
def test_official_images_are_written_short(reference: str, written: str) -> None:
    assert name_in_from(reference) == written


@pytest.mark.parametrize("tag", ["3.7", "3", "stretch", "trixie-backports", "8u151"])
def test_some_tags_mean_one_version_for_ever(tag: str) -> None:
    assert names_a_version(tag)


@pytest.mark.parametrize("tag", ["latest", "lts", "stable", "edge"])
def test_others_mean_what_is_newest(tag: str) -> None:
    assert not names_a_version(tag)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("library/python:3.7-slim", True),
        ("library/alpine:3.24", True),
        ("gcr.io/distroless/static:latest", True),
        ("library/python:3.7", False),
        ("acme/slimmer:1", False),
        ("no reference at all", False),
    ],
)
def test_a_base_is_slim_by_its_tag_or_its_repository(
    reference: str, expected: bool
) -> None:
    assert is_slim(reference) is expected
