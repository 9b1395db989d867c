"""Manifests that break a rule are refused as a whole, with the reason's code."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Served,
    a_config,
    a_digest,
    a_layer,
    a_manifest,
    an_index,
    descriptor_json,
    layer_json,
)
from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.manifest import parse_manifest
from weighbridge.errors import DocumentError, WeighbridgeError

SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def refusal(
    raw: bytes, content_type: str = OCI_MANIFEST, wanted: Digest | None = None
) -> str:
    """The code with which the manifest is refused."""
    with pytest.raises(DocumentError) as caught:
        parse_manifest(raw, content_type, wanted)
    assert len(caught.value.message) < 300
    return caught.value.code


def with_layer(**changes: object) -> bytes:
    """A manifest with one layer that was written differently."""
    return a_manifest([], written={"layers": [layer_json(a_layer()) | changes]}).raw


def swapped(raw: bytes, old: str, new: str) -> bytes:
    """The document with one piece of its text replaced, where JSON cannot say it."""
    assert raw.count(old.encode()) == 1
    return raw.replace(old.encode(), new.encode())


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(a_manifest(manifests=[]).raw, id="manifest-001"),
        pytest.param(
            a_manifest(manifests=[descriptor_json(a_manifest())]).raw,
            id="manifest-001 with children",
        ),
        pytest.param(
            an_index([], config=descriptor_json(a_config())).raw, id="manifest-002"
        ),
        pytest.param(an_index([], layers=[]).raw, id="index with layers"),
        pytest.param(a_manifest(fsLayers=[]).raw, id="schema 1 as well"),
    ],
)
@pytest.mark.parametrize("content_type", [OCI_MANIFEST, OCI_INDEX, "text/plain"])
def test_a_manifest_that_is_an_index_as_well_is_ambiguous(
    raw: bytes, content_type: str
) -> None:
    assert refusal(raw, content_type) == "ambiguous_manifest"


@pytest.mark.parametrize(
    ("served", "content_type"),
    [
        pytest.param(a_manifest(), OCI_INDEX, id="manifest-003"),
        pytest.param(a_manifest(), DOCKER_MANIFEST, id="oci as docker"),
        pytest.param(an_index(), OCI_MANIFEST, id="index as manifest"),
        pytest.param(an_index(), DOCKER_LIST, id="oci index as docker list"),
        pytest.param(a_manifest(), SCHEMA1, id="manifest as schema 1"),
        pytest.param(a_manifest(mediaType=None), OCI_INDEX, id="untyped manifest"),
        pytest.param(an_index(mediaType=None), OCI_MANIFEST, id="untyped index"),
        pytest.param(a_manifest(schemaVersion=1), OCI_MANIFEST, id="version 1"),
        pytest.param(a_manifest(), "application/vnd.example+json", id="unknown"),
        pytest.param(
            a_manifest(mediaType="application/vnd.example.v1+json"),
            OCI_MANIFEST,
            id="unknown inside",
        ),
    ],
)
def test_a_type_that_contradicts_the_document_is_refused(
    served: Served, content_type: str
) -> None:
    assert refusal(served.raw, content_type) == "media_type_mismatch"


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(-1, id="manifest-007"),
        pytest.param(2**63, id="manifest-009"),
        pytest.param(2**63 - 1, id="manifest-010"),
        pytest.param(True, id="manifest-012"),
        pytest.param(77.0, id="manifest-013"),
        pytest.param("77", id="manifest-014"),
        pytest.param(limits.DESCRIPTOR_BYTES + 1, id="one above the cap"),
        pytest.param(None, id="null"),
        pytest.param([1], id="a list"),
    ],
)
def test_a_size_that_is_no_whole_number_in_range_is_refused(size: object) -> None:
    config = descriptor_json(a_config()) | {"size": size}
    child = descriptor_json(a_manifest()) | {"size": size}

    assert refusal(with_layer(size=size)) == "invalid_size"
    assert refusal(a_manifest(written={"config": config}).raw) == "invalid_size"
    assert refusal(an_index([child]).raw, OCI_INDEX) == "invalid_size"


def test_the_largest_size_is_accepted() -> None:
    assert parse_manifest(with_layer(size=limits.DESCRIPTOR_BYTES), OCI_MANIFEST)


def test_manifest_016_a_size_of_nan_is_not_json() -> None:
    assert refusal(swapped(with_layer(), '"size":1000', '"size":NaN')) == "invalid_json"


def test_manifest_019_a_size_of_thousands_of_digits_is_refused() -> None:
    raw = swapped(with_layer(), '"size":1000', '"size":' + "8" * 5500)

    assert refusal(raw) == "invalid_json"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param('"size":1000', '"size":1000,"size":9', id="manifest-020"),
        pytest.param('"layers":', '"layers":[],"layers":', id="manifest-021"),
    ],
)
def test_a_key_that_appears_twice_is_refused(old: str, new: str) -> None:
    assert refusal(swapped(with_layer(), old, new)) == "duplicate_key"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param('"layers":', '"Layers":[],"layers":', id="manifest-022"),
        pytest.param('"layers":', '"MANIFESTS":[],"layers":', id="index for Go alone"),
        pytest.param('"size":1000', '"Size":1000', id="size for Go alone"),
        pytest.param('"size":1000', '"size":1000,"Digest":""', id="two digests"),
    ],
)
def test_a_key_that_only_go_would_take_for_another_is_ambiguous(
    old: str, new: str
) -> None:
    assert refusal(swapped(with_layer(), old, new)) == "ambiguous_manifest"


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 120_000 + b"]" * 120_000,
        b'{"layers":' * 3000 + b"[]" + b"}" * 3000,
    ],
)
def test_manifest_023_deep_nesting_is_refused(raw: bytes) -> None:
    assert refusal(raw) == "invalid_json"


def test_manifest_025_one_byte_above_the_cap_is_refused() -> None:
    raw = with_layer()

    assert refusal(raw.ljust(limits.MANIFEST_BODY_BYTES + 1)) == "too_large"


def test_manifest_029_another_body_than_the_one_asked_for_is_refused() -> None:
    raw = with_layer()

    assert refusal(raw, wanted=a_digest("another")) == "digest_mismatch"
    assert refusal(raw, wanted=Digest("sha512:" + "0" * 128)) == "digest_mismatch"


def test_index_002_an_index_served_as_its_own_child_is_refused() -> None:
    index = an_index([{**descriptor_json(an_index()), "digest": a_digest("itself")}])

    assert refusal(index.raw, OCI_INDEX, a_digest("itself")) == "digest_mismatch"


@pytest.mark.parametrize(
    "digest",
    [
        pytest.param("sha256:../../shop/manifests/v1", id="manifest-032"),
        pytest.param("sha256:" + "b" * 64 + "/../../v1", id="manifest-033"),
        pytest.param("sha256:" + "B" * 64, id="manifest-034"),
        pytest.param("blake3:" + "b" * 64, id="manifest-037"),
        pytest.param("", id="manifest-039"),
        pytest.param(None, id="null"),
        pytest.param(7, id="a number"),
        pytest.param("sha256:" + "b" * 63, id="too short"),
        pytest.param("sha256:" + "b" * 64 + "\n", id="line break"),
        pytest.param("sha256:" + "x" * 3_000_000, id="long"),
    ],
)
def test_a_digest_that_cannot_be_verified_is_refused(digest: object) -> None:
    config = descriptor_json(a_config()) | {"digest": digest}
    child = descriptor_json(a_manifest()) | {"digest": digest}

    assert refusal(with_layer(digest=digest)) == "invalid_digest"
    assert refusal(a_manifest(written={"config": config}).raw) == "invalid_digest"
    assert refusal(an_index([child]).raw, OCI_INDEX) == "invalid_digest"


def test_the_message_names_the_field_and_not_what_was_in_it() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_manifest(with_layer(digest="\u202e<script>"), OCI_MANIFEST)

    assert caught.value.message.startswith("layers[0]")
    assert "script" not in caught.value.message


def test_manifest_044_one_layer_with_two_sizes_is_refused() -> None:
    layers = [a_layer("same", 32), a_layer("same", 3200)]
    config = a_config()
    as_config = layer_json(a_layer()) | {"digest": config.digest}

    assert refusal(a_manifest(layers).raw) == "descriptor_conflict"
    assert (
        refusal(a_manifest([], config, written={"layers": [as_config]}).raw)
        == "descriptor_conflict"
    )


def test_a_child_with_two_sizes_is_refused() -> None:
    child = descriptor_json(a_manifest())

    raw = an_index([child, child | {"size": 1}]).raw

    assert refusal(raw, OCI_INDEX) == "descriptor_conflict"


@pytest.mark.parametrize(
    "layers", [{"0": {}}, "x", None, 7, [None], [1], ["sha256"], [[]]]
)
def test_manifest_049_layers_that_are_no_list_of_objects_are_refused(
    layers: object,
) -> None:
    assert refusal(a_manifest(written={"layers": layers}).raw) == "invalid_manifest"


@pytest.mark.parametrize("manifests", [{"0": {}}, "x", None, 7, [None], [1], [[]]])
def test_children_that_are_no_list_of_objects_are_refused(manifests: object) -> None:
    raw = an_index([], manifests=manifests).raw

    assert refusal(raw, OCI_INDEX) == "invalid_manifest"


def test_manifest_052_more_layers_than_the_cap_are_refused() -> None:
    fits = [a_layer(i, 1) for i in range(limits.LAYERS)]

    assert parse_manifest(a_manifest(fits).raw, OCI_MANIFEST)
    assert refusal(a_manifest([*fits, a_layer("last", 1)]).raw) == "too_many_layers"


def test_index_003_more_children_than_the_cap_are_refused() -> None:
    child = descriptor_json(a_manifest())
    fits = [child | {"digest": a_digest(i)} for i in range(limits.INDEX_CHILDREN)]
    many = [child | {"digest": a_digest(i)} for i in range(15_000)]

    assert parse_manifest(an_index(fits).raw, OCI_INDEX)
    assert refusal(an_index(many).raw, OCI_INDEX) == "index_too_large"


@pytest.mark.parametrize(
    "document",
    [
        pytest.param([], id="a list"),
        pytest.param("text", id="a string"),
        pytest.param(None, id="null"),
        pytest.param({}, id="empty"),
        pytest.param({"schemaVersion": 99_999, "name": "a"}, id="unknown version"),
        pytest.param({"schemaVersion": True}, id="version as boolean"),
        pytest.param({"schemaVersion": 2}, id="neither config nor manifests"),
        pytest.param({"schemaVersion": 2, "mediaType": 7}, id="type as number"),
        pytest.param({"schemaVersion": 2, "mediaType": "a" * 300}, id="long type"),
        pytest.param({"schemaVersion": 2, "mediaType": "text/html"}, id="other type"),
        pytest.param({"schemaVersion": 3, "mediaType": OCI_MANIFEST}, id="version 3"),
        pytest.param({"schemaVersion": "2", "mediaType": OCI_MANIFEST}, id="version"),
    ],
)
def test_what_is_no_manifest_at_all_is_refused(document: object) -> None:
    assert (
        refusal(json.dumps(document).encode(), "application/json") == "invalid_manifest"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"mediaType": None},
        {"mediaType": ""},
        {"mediaType": "x\n"},
        {"mediaType": "\u0442ext"},
        {"mediaType": ["a"]},
        {"urls": "http://layers.example"},
        {"annotations": []},
        {"annotations": {"a": 1}},
        {"annotations": {"a": None}},
    ],
)
def test_a_layer_whose_members_have_other_types_is_refused(
    changes: Mapping[str, object],
) -> None:
    assert refusal(with_layer(**changes)) == "invalid_manifest"


@pytest.mark.parametrize(
    "written",
    [
        {"config": None},
        {"config": []},
        {"config": "sha256"},
        {"artifactType": 7},
        {"annotations": "a"},
    ],
)
def test_a_manifest_whose_members_have_other_types_is_refused(
    written: dict[str, object],
) -> None:
    assert refusal(a_manifest(written=written).raw) == "invalid_manifest"


@pytest.mark.parametrize("noise", ["x" * 300, "\u202e", "a\x1b[2J"])
def test_a_content_type_that_is_no_media_type_is_refused(noise: str) -> None:
    raw = a_manifest(mediaType=None).raw

    assert refusal(raw, f"application/vnd.{noise}") == "invalid_manifest"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["mediaType", "digest", "size", "urls", "annotations"]),
            inner,
        )
    ),
    max_leaves=12,
)
_TYPES = st.sampled_from([OCI_MANIFEST, OCI_INDEX, DOCKER_LIST, SCHEMA1, "", "a/b"])


def only_ours(raw: bytes, content_type: str) -> None:
    """Any other exception fails the test."""
    try:
        found = parse_manifest(raw, content_type)
    except WeighbridgeError:
        return
    assert found.manifest_bytes == len(raw)


@given(st.binary(), st.text())
def test_any_bytes_are_a_manifest_or_our_error(raw: bytes, content_type: str) -> None:
    only_ours(raw, content_type)


@given(
    st.dictionaries(
        st.sampled_from(
            ["schemaVersion", "mediaType", "config", "layers", "manifests", "Layers"]
        ),
        _JSON,
    ),
    _TYPES,
)
def test_any_object_is_a_manifest_or_our_error(
    document: dict[str, object], content_type: str
) -> None:
    only_ours(json.dumps(document).encode(), content_type)


@given(
    st.sampled_from(["config", "layers", "annotations", "artifactType", "mediaType"]),
    _JSON,
    st.sampled_from(["mediaType", "digest", "size", "urls", "annotations", "platform"]),
    _JSON,
)
def test_a_manifest_with_two_wrong_members_is_a_manifest_or_our_error(
    top: str, value: object, inner: str, inner_value: object
) -> None:
    layer = layer_json(a_layer()) | {inner: inner_value}
    child = descriptor_json(a_manifest()) | {inner: inner_value}

    only_ours(a_manifest(written={"layers": [layer], top: value}).raw, OCI_MANIFEST)
    only_ours(a_manifest(written={"layers": [layer]}).raw, "")
    only_ours(an_index([child]).raw, OCI_INDEX)
