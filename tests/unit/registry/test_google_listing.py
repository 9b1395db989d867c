"""What Google's registries say of a name, read."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.image.media_types import (
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
)
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.errors import DocumentError
from weighbridge.registry.kinds.google.google_listing import (
    parse_google_folder,
    parse_google_tags,
    read_milliseconds,
)

NAME: Final = "acme/images/cart"
IMAGE, OTHER, INDEX = (digest_of(n) for n in (b"image", b"other", b"index"))
UPLOADED_AT: Final = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
UPLOADED_MS: Final = "1772600767890"


def a_manifest(*tags: str, **more: object) -> dict[str, object]:
    return {
        "imageSizeBytes": "41234567",
        "layerId": "",
        "mediaType": DOCKER_MANIFEST,
        "tag": list(tags),
        "timeCreatedMs": "1772600000000",
        "timeUploadedMs": UPLOADED_MS,
    } | more


def a_body(**more: object) -> bytes:
    body: dict[str, Any] = {"child": [], "manifest": {}, "name": NAME, "tags": []}
    return json.dumps(body | more).encode()


def tags_of(**more: object) -> dict[str, TagSeen]:
    page = parse_google_tags(a_body(**more), NAME)
    assert page.names == tuple(tag.name for tag in page.tags)
    return {tag.name: tag for tag in page.tags}


def test_a_tag_has_the_digest_the_size_and_the_time_of_its_manifest() -> None:
    found = tags_of(
        tags=["1.0", "latest"], manifest={IMAGE: a_manifest("1.0", "latest")}
    )

    sizes = ((IMAGE, 41_234_567),)
    assert found == {
        "1.0": TagSeen("1.0", IMAGE, UPLOADED_AT, sizes),
        "latest": TagSeen("latest", IMAGE, UPLOADED_AT, sizes),
    }


def test_the_size_of_an_index_is_no_image_s() -> None:
    entry = a_manifest("1.0", mediaType=OCI_INDEX)

    found = tags_of(tags=["1.0"], manifest={INDEX: entry})

    assert found["1.0"].digest == INDEX
    assert found["1.0"].sizes == ()


def test_a_manifest_without_tags_is_not_a_tag() -> None:
    child = a_manifest(mediaType=OCI_MANIFEST, timeCreatedMs="0")

    assert tags_of(tags=[], manifest={IMAGE: child, OTHER: a_manifest()}) == {}


@pytest.mark.parametrize("manifest", [{}, None, {"sha256:short": a_manifest("1.0")}])
def test_a_tag_that_no_manifest_has_is_asked_for_its_digest(manifest: object) -> None:
    assert tags_of(tags=["1.0"], manifest=manifest) == {"1.0": TagSeen("1.0")}


def test_a_tag_that_two_manifests_have_is_asked_for_its_digest() -> None:
    both = {IMAGE: a_manifest("1.0"), OTHER: a_manifest("1.0")}

    assert tags_of(tags=["1.0"], manifest=both) == {"1.0": TagSeen("1.0")}


def test_a_manifest_s_tag_that_the_list_lacks_is_not_taken_for_deleted() -> None:
    neither: tuple[object, ...] = ([], None)
    for tags in neither:
        assert tags_of(tags=tags, manifest={IMAGE: a_manifest("1.0")}).keys() == {"1.0"}


def test_a_plain_listing_is_read_too() -> None:
    page = parse_google_tags(b'{"name": "acme/images/cart", "tags": ["a", "b"]}', NAME)

    assert page.tags == (TagSeen("a"), TagSeen("b"))


def test_names_that_are_no_tags_are_counted() -> None:
    page = parse_google_tags(a_body(tags=["a", None, IMAGE, "a", 7]), NAME)

    assert page.names == ("a",)
    assert page.invalid == 3


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"name": "acme/images/other"}, "name_mismatch"),
        ({"name": None}, "name_mismatch"),
        ({"tags": {}}, "invalid_listing"),
        ({"manifest": []}, "invalid_listing"),
        ({"child": "cart"}, "invalid_listing"),
    ],
)
def test_what_cannot_be_read_is_no_empty_listing(
    more: dict[str, object], code: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_google_folder(a_body(**more), NAME)

    assert caught.value.code == code


def test_a_listing_without_tags_says_nothing_of_tags() -> None:
    with pytest.raises(DocumentError):
        parse_google_tags(b'{"name": "acme/images/cart", "manifest": {}}', NAME)


def test_a_listing_of_too_much_says_so() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_google_tags(a_body(tags=[[]] * 200_001), NAME)

    assert caught.value.code == "too_large"


def test_a_project_of_a_domain_may_be_spelt_with_a_colon() -> None:
    body = b'{"name": "acme.example:web/cart", "tags": ["a"]}'

    assert parse_google_tags(body, "acme.example/web/cart").names == ("a",)


def test_a_folder_names_what_is_below_it() -> None:
    folder = parse_google_folder(a_body(child=["api", "web", "api", "UP", None]), NAME)

    assert folder.children == (f"{NAME}/api", f"{NAME}/web")
    assert folder.invalid == 2
    assert not folder.has_images
    assert not folder.is_empty


@pytest.mark.parametrize(
    "entry", ["..", "../other", "/", "", "a//b", "a/../b", "a?n=1"]
)
def test_a_child_never_leads_out_of_its_folder(entry: str) -> None:
    folder = parse_google_folder(a_body(child=[entry]), NAME)

    assert folder.children == ()
    assert folder.invalid == 1


def test_a_folder_with_manifests_alone_has_images() -> None:
    body = a_body(manifest={IMAGE: a_manifest()}, tags=None)

    assert parse_google_folder(body, NAME).has_images


def test_nothing_at_all_is_an_empty_folder() -> None:
    assert parse_google_folder(
        a_body(child=None, manifest=None, tags=None), NAME
    ).is_empty


@pytest.mark.parametrize(
    "value", ["0", "", "-5", "1e3", None, 1_772_600_767_890, "9" * 15, "٣٣٣"]
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert read_milliseconds(value) is None


KEYS: Final = ("child", "manifest", "name", "tags", "tag", "mediaType", IMAGE)
FIGURES: Final = ("imageSizeBytes", "timeUploadedMs")
JSON = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from([NAME, IMAGE, "1.0", UPLOADED_MS, DOCKER_MANIFEST]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS + FIGURES), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    raw = json.dumps(value).encode()
    for parse in (parse_google_tags, parse_google_folder):
        try:
            parse(raw, NAME)
        except DocumentError:
            continue


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for parse in (parse_google_tags, parse_google_folder):
        try:
            parse(raw, NAME)
        except DocumentError:
            continue


@given(
    st.dictionaries(
        st.sampled_from([IMAGE, OTHER, INDEX]),
        st.lists(st.sampled_from(["a", "b", "c"]), unique=True),
    ),
    st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True),
)
def test_no_tag_is_lost_and_none_has_a_digest_in_doubt(
    claims: dict[str, list[str]], listed: list[str]
) -> None:
    manifest = {digest: a_manifest(*tags) for digest, tags in claims.items()}

    found = tags_of(tags=listed, manifest=manifest)

    assert found.keys() == {*listed}.union(*claims.values())
    for name, tag in found.items():
        holders = [digest for digest, tags in claims.items() if name in tags]
        assert tag.digest == (holders[0] if len(holders) == 1 else None)
