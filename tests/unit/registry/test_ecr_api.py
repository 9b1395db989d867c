"""Answers of ECR's API: what is read of them, and what is refused."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.image.media_types import OCI_INDEX, OCI_MANIFEST
from weighbridge.errors import AuthError, DocumentError
from weighbridge.registry.kinds.ecr.ecr_api import (
    parse_ecr_batch,
    parse_ecr_images,
    parse_ecr_repositories,
    parse_ecr_token,
)

NOW = datetime(2026, 12, 2, 12, 0, tzinfo=UTC)
ACCOUNT = "111122223333"
FIRST, SECOND = digest_of(b"first"), digest_of(b"second")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def page(**members: Any) -> bytes:
    return json.dumps(members).encode()


def an_image(digest: object = FIRST, **members: Any) -> dict[str, Any]:
    """As DescribeImages has it; a member that is None is left out."""
    whole = {
        "registryId": ACCOUNT,
        "repositoryName": "shop/cart",
        "imageDigest": digest,
        "imageTags": ["1.0", "latest"],
        "imageSizeInBytes": 7_654_321,
        "imagePushedAt": 1_764_676_800.5,
        "imageManifestMediaType": OCI_MANIFEST,
        "artifactMediaType": "application/vnd.oci.image.config.v1+json",
        "lastRecordedPullTime": 1_764_680_400,
        "imageStatus": "ACTIVE",
        "imageScanStatus": {"status": "COMPLETE"},
    } | members
    return {key: value for key, value in whole.items() if value is not None}


def images(*entries: object, **more: Any) -> Any:
    return parse_ecr_images(page(imageDetails=entries, **more), "shop/cart")


def test_every_tag_of_an_image_has_its_digest_its_push_and_its_size() -> None:
    found = images(an_image(), nextToken="bmV4dA==")

    assert found.names == ("1.0", "latest")
    assert {tag.digest for tag in found.tags} == {FIRST}
    assert {tag.sizes for tag in found.tags} == {((FIRST, 7_654_321),)}
    pushed = datetime(2025, 12, 2, 12, 0, 0, 500_000, tzinfo=UTC)
    assert {tag.pushed_at for tag in found.tags} == {pushed}
    pulled = datetime(2025, 12, 2, 13, tzinfo=UTC)
    assert {tag.pulled_at for tag in found.tags} == {pulled}
    assert found.next == "bmV4dA=="


def test_the_size_of_an_index_is_no_image_s_and_is_not_used() -> None:
    found = images(an_image(imageManifestMediaType=OCI_INDEX))

    assert {tag.sizes for tag in found.tags} == {()}


def test_an_image_without_a_tag_is_no_tag_and_no_fault() -> None:
    found = images(an_image(SECOND, imageTags=None), an_image())

    assert (found.names, found.invalid) == (("1.0", "latest"), 0)


def test_a_tag_that_two_images_have_is_asked_for() -> None:
    found = images(an_image(), an_image(SECOND, imageTags=["latest"]))

    assert {tag.name: tag.digest for tag in found.tags} == {
        "1.0": FIRST,
        "latest": None,
    }


@pytest.mark.parametrize("digest", ["sha256:short", None, 7])
def test_a_digest_that_cannot_be_read_is_not_known(digest: object) -> None:
    found = images(an_image(digest))

    assert [(tag.digest, tag.sizes) for tag in found.tags] == [(None, ())] * 2


def test_what_is_no_tag_is_counted() -> None:
    found = images(an_image(imageTags=["ok", "no tag", 7]), "x", an_image(imageTags=7))

    assert (found.names, found.invalid) == (("ok",), 4)


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        page(),
        page(imageDetails=None),
        page(imageDetails={}),
        page(imageDetails=[], nextToken=""),
        page(imageDetails=[], nextToken=["x"]),
        page(imageDetails=[], nextToken="x" * 20_000),
        page(imageDetails=[an_image(repositoryName="shop/other")]),
    ],
)
def test_a_page_that_may_hide_tags_is_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_ecr_images(raw, "shop/cart")

    assert caught.value.code == "invalid_listing"


def test_an_empty_list_is_a_repository_without_tags() -> None:
    assert images().names == ()


def test_an_empty_page_is_told_from_the_next_empty_one_by_its_token() -> None:
    assert images(nextToken="a").first != images(nextToken="b").first


def test_a_page_that_comes_again_under_a_new_token_is_known_by_its_first_tag() -> None:
    again = [images(an_image(), nextToken=token).first for token in ("a", "b")]

    assert again == ["1.0", "1.0"]


def test_repositories_of_another_account_are_not_ours() -> None:
    entries = [
        {"registryId": ACCOUNT, "repositoryName": "shop/cart", "createdAt": 1.5},
        {"registryId": "999999999999", "repositoryName": "shop/other"},
        {"repositoryName": "UPPER"},
    ]

    found = parse_ecr_repositories(page(repositories=entries), ACCOUNT)

    assert (found.names, found.invalid, found.next) == (("shop/cart",), 2, None)


@pytest.mark.parametrize("raw", [page(), page(repositories=None), b"{", b"null"])
def test_a_page_without_repositories_is_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        parse_ecr_repositories(raw, ACCOUNT)


def a_manifest(text: str, digest: object, **more: Any) -> dict[str, Any]:
    return {
        "registryId": ACCOUNT,
        "repositoryName": "shop/cart",
        "imageId": {"imageDigest": digest},
        "imageManifest": text,
        "imageManifestMediaType": OCI_MANIFEST,
    } | more


def test_manifests_are_found_by_what_their_bytes_hash_to() -> None:
    entries = [
        a_manifest("first", FIRST, imageId={"imageDigest": FIRST, "imageTag": "1.0"}),
        a_manifest("first", FIRST, imageId={"imageDigest": FIRST, "imageTag": "2.0"}),
        a_manifest("second ", SECOND),
        a_manifest("third", digest_of(b"third")),
    ]
    failures = [{"imageId": {"imageDigest": SECOND}, "failureCode": "ImageNotFound"}]

    found = parse_ecr_batch(page(images=entries, failures=failures), [FIRST, SECOND])

    assert {digest: one.content for digest, one in found.items()} == {FIRST: b"first"}
    assert found[FIRST].media_type == OCI_MANIFEST


def a_token(pair: str = "AWS:pass:word", **members: Any) -> bytes:
    text = base64.b64encode(pair.encode()).decode()
    given = {"authorizationToken": text, "proxyEndpoint": "https://evil.example"}
    return page(authorizationData=[given | members])


def test_the_password_is_used_until_a_tenth_of_its_life_is_left() -> None:
    in_ten_hours = (NOW + timedelta(hours=10)).timestamp()

    found = parse_ecr_token(a_token(expiresAt=in_ten_hours), NOW)

    assert found.lasts_s == pytest.approx(9 * 3600)
    assert found.credential.username == "AWS"
    assert found.credential.password is not None
    assert found.credential.password.reveal() == "pass:word"


@pytest.mark.parametrize(
    "expires_at", [1_420_070_400, 0, None, "2015-01-01T00:00:00Z", 9e9, True]
)
def test_a_time_of_expiry_that_cannot_be_is_not_believed(expires_at: object) -> None:
    found = parse_ecr_token(a_token(expiresAt=expires_at), NOW)

    assert found.lasts_s == pytest.approx(0.9 * 12 * 3600)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        page(),
        page(authorizationData=[]),
        page(authorizationData=[{"authorizationToken": "???"}]),
        a_token("without a colon"),
        a_token("AWS:"),
        a_token(":password"),
    ],
)
def test_what_is_no_token_is_refused_without_a_word_of_it(raw: bytes) -> None:
    with pytest.raises(AuthError) as caught:
        parse_ecr_token(raw, NOW)

    assert "password" not in caught.value.message.removesuffix("user and password")


@given(JSON, st.sampled_from(["imageDetails", "repositories", "images", "nextToken"]))
def test_any_json_is_read_or_refused(value: object, key: str) -> None:
    members = {"imageDetails": [], "repositories": []} | {key: value}
    texts = [json.dumps(one).encode() for one in (value, members, {key: [value]})]
    entries = {
        "imageDetails": [an_image(imageTags=value)],
        "images": [{"imageId": value}],
    }
    texts.append(json.dumps(entries).encode())
    for raw in texts:
        for parse in (
            lambda text: parse_ecr_images(text, "shop/cart"),
            lambda text: parse_ecr_repositories(text, ACCOUNT),
            lambda text: parse_ecr_batch(text, [FIRST]),
        ):
            try:
                parse(raw)
            except DocumentError:
                continue


@given(JSON, st.sampled_from(["authorizationToken", "expiresAt"]))
def test_any_json_is_a_token_or_none(value: object, key: str) -> None:
    for raw in (
        json.dumps(value).encode(),
        json.dumps({"authorizationData": value}).encode(),
        a_token("AWS:password", **{key: value}),
    ):
        try:
            found = parse_ecr_token(raw, NOW)
        except AuthError:
            continue
        assert 0 < found.lasts_s <= 12 * 3600


@given(st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for parse in (
        lambda text: parse_ecr_images(text, "shop/cart"),
        lambda text: parse_ecr_batch(text, [FIRST]),
    ):
        try:
            parse(raw)
        except DocumentError:
            continue
