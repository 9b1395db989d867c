"""A listing's size of an image against the layers that the registry knows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.images import a_digest
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.registry.listing import is_explained

BASE, APP = (a_digest("base"), 1_000), (a_digest("app"), 50)
CONFIG = 7


@pytest.mark.parametrize(
    ("listed_bytes", "layers"),
    [
        (1_050, [BASE, APP]),
        (1_057, [BASE, APP]),
        (1_050, [BASE, APP, APP]),
        (1_100, [BASE, APP, APP]),
        (1_107, [BASE, APP, APP]),
        (7, []),
    ],
    ids=[
        "the layers",
        "the layers and the config",
        "a repeated layer counted once",
        "a repeated layer counted twice",
        "that and the config",
        "the config alone",
    ],
)
def test_a_size_that_its_definition_explains_is_not_false(
    listed_bytes: int, layers: list[tuple[Digest, int]]
) -> None:
    assert is_explained(listed_bytes, layers, CONFIG)


@given(st.integers(1, 2**50))
def test_any_other_size_is_false(listed_bytes: int) -> None:
    explained = listed_bytes in (1_050, 1_057)

    assert is_explained(listed_bytes, [BASE, APP], CONFIG) == explained
