"""Which base an image stands on, of those that are known; and that no look at hostile
values ends in anything else."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.images import a_digest, a_layer, a_manifest, an_image
from weighbridge.domain.base.chain import (
    MOST_LAYERS,
    layer_chains,
    line_chains,
    tells_apart,
)
from weighbridge.domain.base.detection import (
    BaseQuestion,
    KnownBase,
    NamedBases,
    find_base,
    has_inner_end,
)
from weighbridge.domain.base.own_word import base_by_itself, base_by_root
from weighbridge.domain.image.digest import raw
from weighbridge.domain.image.document import (
    AnnotatedBase,
    Image,
    Line,
    Manifest,
    find_base_named,
)
from weighbridge.domain.image.manifest import parse_manifest

T0: Final = datetime(2024, 5, 6, tzinfo=UTC)
_NAMES: Final = [f"layer-{n}" for n in range(5)]


def image_of(names: Sequence[str], lines: Sequence[Line] | None = None) -> Image:
    return an_image([a_layer(name) for name in names], lines=lines)


def base_of(number: int, names: Sequence[str]) -> KnownBase:
    """A base whose lines tell nothing."""
    chain = layer_chains(a_digest(name) for name in names)[-1]
    return KnownBase(number, chain, len(names), 1, b"", 0)


def by_layers(bases: Sequence[KnownBase]) -> Mapping[bytes, list[KnownBase]]:
    found: dict[bytes, list[KnownBase]] = {}
    for base in bases:
        found.setdefault(base.chain, []).append(base)
    return found


def test_a_chain_is_over_raw_digests_base_first() -> None:
    one, two = a_digest("one"), a_digest("two")

    first = hashlib.sha256(raw(one)).digest()
    assert layer_chains([one, two]) == [
        first,
        hashlib.sha256(first + raw(two)).digest(),
    ]
    assert layer_chains([two, one])[-1] != layer_chains([one, two])[-1]


@given(st.lists(st.sampled_from(_NAMES), max_size=6), st.integers(0, 6))
def test_images_have_a_chain_in_common_where_they_begin_alike(
    names: list[str], cut: int
) -> None:
    digests = [a_digest(name) for name in names]
    other = [*digests[:cut], a_digest("other")]

    common = set(layer_chains(digests)) & set(layer_chains(other))

    assert len(common) == min(cut, len(digests))


def test_no_more_layers_are_looked_at_than_a_base_can_have() -> None:
    assert len(layer_chains(a_digest(n) for n in range(4_096))) == MOST_LAYERS


@given(
    st.lists(st.sampled_from(_NAMES), min_size=1, max_size=6),
    st.lists(
        st.lists(st.sampled_from(_NAMES), min_size=1, max_size=6),
        max_size=8,
        unique_by=tuple,
    ),
)
def test_the_longest_base_below_the_image_is_found_and_nothing_else(
    names: list[str], bases: list[list[str]]
) -> None:
    known = [base_of(number, base) for number, base in enumerate(bases)]
    proper = [names[:count] for count in range(1, len(names))]
    below = [number for number, base in enumerate(bases) if base in proper]

    found = find_base(
        BaseQuestion.of(image_of(names), 1), by_layers(known), {}, NamedBases()
    )

    if not below:
        assert found is None
    else:
        assert found is not None
        assert found.base_id == max(below, key=lambda n: len(bases[n]))
        assert (found.relation, found.found_by) == ("base", "layers")


def test_a_pause_after_a_cmd_shows_that_another_image_ends_there() -> None:
    def lines(pause: timedelta, *, keyword: str = "CMD") -> list[Line]:
        return [
            Line("RUN make", T0, 0),
            Line(f'{keyword} ["sh"]', T0, None),
            Line("RUN make install", T0 + pause, 1),
            Line('CMD ["app"]', T0 + pause, None),
        ]

    assert has_inner_end(lines(timedelta(minutes=1)))
    assert not has_inner_end(lines(timedelta(seconds=59)))
    assert not has_inner_end(lines(timedelta(hours=1), keyword="ENTRYPOINT"))
    assert not has_inner_end(lines(timedelta(hours=1))[:2])


def test_lines_without_times_tell_no_build_from_another() -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)

    assert not tells_apart([Line("RUN make", None, 0), Line("RUN make", epoch, 1)])
    assert tells_apart([Line("RUN make", None, 0), Line("RUN make", T0, 1)])
    one, other = (line_chains([Line("RUN make", at, 0)]) for at in (T0, epoch))
    assert one != other


_TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
_LINES = st.lists(
    st.builds(Line, st.text(max_size=20), _TIMES, st.none() | st.integers(0, 5)),
    max_size=8,
)


@given(_LINES, st.lists(st.sampled_from(_NAMES), min_size=1, max_size=4))
def test_any_lines_and_any_times_give_an_answer(
    lines: list[Line], names: list[str]
) -> None:
    chains = line_chains(lines)
    image = image_of(names, lines)
    known = {
        chain: [KnownBase(n, b"", 1, 1, chain, n + 1)] for n, chain in enumerate(chains)
    }

    found = find_base(BaseQuestion.of(image, 1), {}, known, NamedBases())

    assert len(chains) == len(lines)
    assert (found is None) == (len(lines) < 2)
    assert base_by_root(image) is None or len(names) > 1


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["ADD alpine-minirootfs-3.24.2-x86_64.tar.gz /"], "library/alpine:3.24"),
        (
            ["# debian.sh --arch 'amd64' out/ 'trixie' '@1785715200'"],
            "library/debian:trixie",
        ),
        (
            [
                "LABEL org.opencontainers.image.ref.name=ubuntu",
                "LABEL org.opencontainers.image.version=24.04",
                "ADD file:bcebbf0fddcba5b864d5d267b68dd23bcfb01275e6ec7bcab69 in /",
            ],
            "library/ubuntu:24.04",
        ),
        (["ADD file:bcebbf0fddcba5b864d5d267b68dd23bcfb01275e6ec7bcab69 in /"], None),
        (["RUN echo '# debian.sh'"], None),
    ],
)
def test_the_first_layers_line_names_its_distribution(
    lines: list[str], expected: str | None
) -> None:
    steps = [Line(text, T0, None) for text in lines]
    steps[-1] = steps[-1]._replace(layer=0)

    found = base_by_root(image_of(["root", "app"], [*steps, Line("RUN app", T0, 1)]))
    alone = base_by_root(image_of(["root"], steps))

    assert (found and found.reference) == expected
    assert found is None or (found.relation, found.layers) == ("relative", 1)
    assert alone is None


def annotated(**annotations: object) -> AnnotatedBase | None:
    names = {
        f"org.opencontainers.image.base.{name}": value
        for name, value in annotations.items()
    }
    served = a_manifest(annotations=names)
    parsed = parse_manifest(served.raw, served.media_type)
    assert isinstance(parsed, Manifest)
    return parsed.base


def test_annotations_of_a_base_are_read_as_docker_reads_references() -> None:
    digest = a_digest("base")

    both = annotated(name="python:3.12", digest=digest)
    in_name = annotated(name=f"quay.io/acme/base@{digest}")

    assert both is not None
    assert (str(both.name), both.digest) == (
        "docker.io/library/python:3.12",
        digest,
    )
    assert in_name is not None
    assert in_name.digest == digest
    assert annotated(digest=digest) == AnnotatedBase(None, digest)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "../../etc/passwd"},
        {"name": "https://docker.io/python"},
        {"name": "user:secret@evil.example/python"},
        {"name": "x" * 300},
        {"name": ""},
        {"digest": "sha256:short"},
        {"digest": "md5:" + "a" * 32},
    ],
)
def test_what_is_no_reference_or_no_digest_says_nothing(
    wrong: Mapping[str, str],
) -> None:
    assert annotated(**wrong) is None


@given(st.dictionaries(st.sampled_from(["name", "digest"]), st.text(max_size=80)))
def test_any_annotation_is_read_or_left_out(texts: dict[str, str]) -> None:
    names = {f"org.opencontainers.image.base.{k}": v for k, v in texts.items()}

    found = find_base_named(names)

    image = image_of(["root"])
    assert found is None or found.name is not None or found.digest is not None
    assert base_by_itself(image) is None
