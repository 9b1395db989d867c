"""What a service says of limits is read strictly: a gate believes it."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.check.image_check import (
    EarlierImage,
    ServiceLimits,
    parse_service_limits,
)
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.errors import DocumentError

ITEMS = [
    {"key": "team", "value": "shop", "policy": "shop", "waived_until": None},
    {
        "key": "max_compressed",
        "value": 500_000_000,
        "policy": "services",
        "waived_until": "2026-12-01T00:00:00Z",
    },
    {"key": "max_growth", "value": 0.25, "policy": "all", "waived_until": None},
    {"key": "max_layers", "value": None, "policy": "services", "waived_until": None},
    {"key": "max_uncompressed", "value": None, "policy": None, "waived_until": None},
    {"key": "max_of_the_future", "value": [1], "policy": "all"},
]
IMAGES = [
    {"platform": "linux/amd64", "digest": "sha256:b", "compressed_bytes": 20},
    {"platform": "linux/amd64", "digest": "sha256:a", "compressed_bytes": 10},
    {"platform": "linux/arm64", "digest": "sha256:c", "compressed_bytes": 30},
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    *("items", "images", "key", "value", "policy", "platform"),
                    *("digest", "compressed_bytes", "waived_until", "max_growth"),
                    *("images_known", "platforms"),
                )
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def parsed(
    items: object = ITEMS, images: object = IMAGES, **more: object
) -> ServiceLimits:
    whole = {
        "items": items,
        "images": images,
        "images_known": True,
        "platforms": ["linux/amd64"],
    }
    return parse_service_limits(json.dumps(whole | more).encode())


def test_limits_keep_their_policies_and_waivers() -> None:
    found = parsed()

    limits = PolicySet(found.policies)
    decided = {d.key: d for d in limits.explain("hub", "shop/api", "1")}
    assert limits.limits_of("hub", "shop/api", "1").max_compressed_bytes == 500_000_000
    assert limits.limits_of("hub", "shop/api", "1").max_growth == 0.25
    assert limits.limits_of("hub", "shop/api", "1").max_layers is None
    services = decided["max_compressed"].policy
    assert services is not None
    assert services.name == "services"
    assert decided["max_uncompressed"].policy is None
    assert found.waived == {"max_compressed": datetime(2026, 12, 1, tzinfo=UTC)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"images_known": None},
        {"images_known": 1},
        {"platforms": None},
        {"platforms": "linux/amd64"},
        {"platforms": [1]},
    ],
)
def test_what_the_service_knows_of_images_is_not_guessed(
    wrong: dict[str, object],
) -> None:
    with pytest.raises(DocumentError):
        parsed(**wrong)


def test_earlier_images_stay_in_their_order_by_platform() -> None:
    assert parsed().earlier.images == {
        "linux/amd64": [EarlierImage("sha256:b", 20), EarlierImage("sha256:a", 10)],
        "linux/arm64": [EarlierImage("sha256:c", 30)],
    }


def test_what_a_newer_service_says_besides_is_left_out() -> None:
    assert parsed(more={"a": 1}) == parsed()


@pytest.mark.parametrize(
    ("items", "images"),
    [
        (None, []),
        ({}, []),
        ([1], []),
        ([], [1]),
        ([{"key": "max_compressed", "value": -1, "policy": "p"}], []),
        ([{"key": "max_compressed", "value": True, "policy": "p"}], []),
        ([{"key": "max_compressed", "value": 1.5, "policy": "p"}], []),
        ([{"key": "max_compressed", "value": 2**63, "policy": "p"}], []),
        ([{"key": "max_growth", "value": "25%", "policy": "p"}], []),
        ([{"key": "max_growth", "value": -0.5, "policy": "p"}], []),
        ([{"key": "max_layers", "value": 5, "policy": 5}], []),
        ([{"key": "max_layers", "value": 5, "policy": "p", "waived_until": 7}], []),
        ([{"key": "max_layers", "value": 5, "policy": "p", "waived_until": "x"}], []),
        ([], [{"platform": "linux/amd64", "digest": "sha256:a"}]),
        ([], [{"platform": 1, "digest": "sha256:a", "compressed_bytes": 1}]),
    ],
)
def test_what_is_no_limit_is_refused(items: object, images: object) -> None:
    with pytest.raises(DocumentError) as caught:
        parsed(items, images)

    assert caught.value.code == "invalid_limits"


@given(JSON)
def test_any_json_gives_limits_or_our_error(value: object) -> None:
    with suppress(DocumentError):
        parse_service_limits(json.dumps(value).encode())


@given(st.binary(max_size=200))
def test_any_bytes_give_limits_or_our_error(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        parse_service_limits(raw)
