"""What a service knows of an image's layers, and what a gate makes of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.images import a_layer, an_image
from weighbridge.domain.base.chain import layer_chains
from weighbridge.domain.base.detection import BaseQuestion
from weighbridge.domain.base.told_bases import ToldBase, base_among, parse_told_bases
from weighbridge.domain.image.document import AnnotatedBase
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.domain.image.reference import parse_reference
from weighbridge.domain.policy.base_limits import CertainBase
from weighbridge.errors import DocumentError

BASE = a_layer("base", 5000)
IMAGE = an_image([BASE, a_layer("app", 700)])
ASKED = BaseQuestion.of(IMAGE, 0)
SLIM = ToldBase(
    layer_chains([BASE.digest])[0].hex(), 1, "", 0, ("library/python:slim",), 60
)


def said(reference: str) -> ImageBase:
    return ImageBase(reference, (), None, None, None, "base", "annotation")


def test_the_base_is_the_one_whose_layers_the_image_has() -> None:
    assert base_among([SLIM], ASKED, None) == CertainBase(("library/python:slim",), 60)
    assert base_among([], ASKED, None) is None


def test_what_whoever_pushed_it_says_does_not_make_a_base() -> None:
    assert base_among([], ASKED, said("library/python:slim")) is None


@pytest.mark.parametrize("name", ["shop/base:1", "library/python:slim"])
def test_no_annotation_hides_what_the_layers_show(name: str) -> None:
    named = AnnotatedBase(parse_reference(name), None)
    manifest = replace(IMAGE.manifest, base=named)
    asked = BaseQuestion.of(replace(IMAGE, manifest=manifest), 0)

    assert base_among([SLIM], asked, said(name)) == SLIM.certain


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["items", "chain", "layer_count", "history", "references"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_answer_is_bases_or_refused(raw: bytes) -> None:
    try:
        told = parse_told_bases(raw)
    except DocumentError as exc:
        assert exc.code  # noqa: PT017 - whatever it is refused for has a code
    else:
        base_among(told, ASKED, None)


@pytest.mark.parametrize("chain", ["", "0" * 63, "G" * 64, "0" * 65])
def test_a_chain_that_is_none_is_refused(chain: str) -> None:
    row = {
        "chain": chain,
        "layer_count": 1,
        "history": "",
        "line_count": 0,
        "references": ["library/python:slim"],
        "replaced_for_s": 0,
    }

    with pytest.raises(DocumentError) as caught:
        parse_told_bases(json.dumps({"items": [row]}).encode())

    assert caught.value.code == "invalid_limits"
