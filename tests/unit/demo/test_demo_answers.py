"""What the demo registry answers, request by request, without a socket."""

import json
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.generated_content import generated_content
from weighbridge.demo.http.server import DemoReply, answer
from weighbridge.demo.story import demo_content
from weighbridge.domain.image.manifest import ACCEPT

MANY = generated_content(repositories=250, tags=2_500)
# Made by the first test that asks for it, and not for whoever looks for tests.
content = cache(demo_content)


def a_get(target: str, **headers: str) -> DemoReply:
    """Headers as keywords: if_none_match for If-None-Match."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(content(), "GET", target, named)


def header(reply: DemoReply, name: str) -> str | None:
    return dict(reply.headers).get(name)


def error_code(reply: DemoReply) -> str:
    code: object = json.loads(reply.body)["errors"][0]["code"]
    return str(code)


def walk(target: str, key: str) -> tuple[list[str], int]:
    """Every item of a listing and how many pages it took."""
    items: list[str] = []
    pages = 0
    while target:
        reply = answer(MANY, "GET", target, {})
        items += json.loads(reply.body)[key]
        pages += 1
        link = header(reply, "Link") or ""
        target = link.partition("<")[2].partition(">")[0]
    return items, pages


def test_the_ping_says_that_this_is_a_registry() -> None:
    assert a_get("/v2/").status == 200


def test_the_catalog_is_paged_by_a_hundred() -> None:
    names, pages = walk("/v2/_catalog", "repositories")

    assert names == list(MANY.repositories())
    assert pages == 3


def test_tags_are_paged_by_what_is_asked_for() -> None:
    tags, pages = walk("/v2/load/r00007/tags/list?n=1000", "tags")

    assert tags == list(MANY.tags("load/r00007") or ())
    assert pages == 3


def test_a_last_that_is_gone_continues_after_its_place() -> None:
    reply = answer(MANY, "GET", "/v2/load/r00007/tags/list?n=1&last=t0000041x", {})

    assert json.loads(reply.body) == {"name": "load/r00007", "tags": ["t0000042"]}


def test_a_page_of_nothing_is_the_last_one() -> None:
    reply = a_get("/v2/shop/api/tags/list?n=0")

    assert json.loads(reply.body)["tags"] == []
    assert header(reply, "Link") is None


@pytest.mark.parametrize("n", ["1001", "-1", "x", "9" * 5_000])
@pytest.mark.parametrize("path", ["_catalog", "shop/api/tags/list"])
def test_a_page_length_out_of_bounds_is_refused(path: str, n: str) -> None:
    reply = a_get(f"/v2/{path}?n={n}")

    assert (reply.status, error_code(reply)) == (400, "PAGINATION_NUMBER_INVALID")


def test_a_manifest_is_the_same_by_tag_and_by_digest() -> None:
    by_tag = a_get("/v2/shop/api/manifests/latest", accept=ACCEPT)

    digest = header(by_tag, "Docker-Content-Digest")
    by_digest = a_get(f"/v2/shop/api/manifests/{digest}")

    assert by_tag.body == by_digest.body
    assert header(by_tag, "ETag") == f'"{digest}"'
    assert header(by_tag, "Content-Type") == json.loads(by_tag.body)["mediaType"]


@pytest.mark.parametrize("quote", ['"', ""])
def test_an_unchanged_manifest_is_304_without_a_body(quote: str) -> None:
    digest = header(a_get("/v2/shop/api/manifests/latest"), "Docker-Content-Digest")

    reply = a_get(
        "/v2/shop/api/manifests/latest", if_none_match=f"{quote}{digest}{quote}"
    )

    assert (reply.status, reply.body) == (304, b"")


def test_a_type_that_is_not_accepted_is_not_served() -> None:
    reply = a_get(
        "/v2/shop/web/manifests/latest",
        accept="application/vnd.docker.distribution.manifest.v2+json",
    )

    assert (reply.status, error_code(reply)) == (404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/v2/no/such/tags/list", 404, "NAME_UNKNOWN"),
        ("/v2/no/such/manifests/latest", 404, "NAME_UNKNOWN"),
        ("/v2/shop/api/manifests/nope", 404, "MANIFEST_UNKNOWN"),
        ("/v2/shop/api/blobs/sha256:00", 400, "DIGEST_INVALID"),
        (f"/v2/shop/api/blobs/sha256:{'0' * 64}", 404, "BLOB_UNKNOWN"),
        (f"/v2/no/such/blobs/sha256:{'0' * 64}", 404, "NAME_UNKNOWN"),
        ("/v1/search", 404, "UNSUPPORTED"),
        ("/v2/shop/api", 404, "UNSUPPORTED"),
    ],
)
def test_what_is_not_there_is_said_in_the_registrys_words(
    target: str, status: int, code: str
) -> None:
    reply = a_get(target)

    assert (reply.status, error_code(reply)) == (status, code)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(method: str) -> None:
    reply = answer(content(), method, "/v2/shop/api/manifests/latest", {})

    assert (reply.status, header(reply, "Allow")) == (405, "GET, HEAD")


def the_layer() -> tuple[str, int]:
    """The largest layer of shop/api: its address and its bytes."""
    manifest = json.loads(a_get("/v2/shop/api/manifests/latest").body)
    layer = max(manifest["layers"], key=lambda layer: int(layer["size"]))
    return f"/v2/shop/api/blobs/{layer['digest']}", int(layer["size"])


def test_the_tail_of_a_layer_is_206_and_says_where_it_is() -> None:
    target, total = the_layer()

    reply = a_get(target, range=f"bytes={total - 72}-{total - 1}")

    assert (reply.kind, reply.status, reply.content_length) == ("get_range", 206, 72)
    expected = f"bytes {total - 72}-{total - 1}/{total}"
    assert header(reply, "Content-Range") == expected


def test_a_range_beyond_the_end_is_416_with_the_total() -> None:
    target, total = the_layer()

    reply = a_get(target, range=f"bytes={total}-")

    assert (reply.status, header(reply, "Content-Range")) == (416, f"bytes */{total}")


def test_the_length_of_a_whole_layer_is_known_without_its_bytes() -> None:
    target, total = the_layer()

    reply = answer(content(), "HEAD", target, {"range": "bytes=0-1"})

    assert (reply.kind, reply.status) == ("head_blob", 200)
    assert reply.content_length == total


def test_an_escaped_path_is_understood() -> None:
    target, _ = the_layer()

    assert a_get(target.replace(":", "%3A")).status == 200


@given(
    st.sampled_from(["GET", "HEAD", "POST"]),
    st.text(alphabet=st.characters(max_codepoint=255)),
    st.sampled_from(["/v2/", "/v2/shop/api/manifests/", "/v2/_catalog?n=", ""]),
)
def test_any_request_has_an_answer(method: str, text: str, start: str) -> None:
    reply = answer(content(), method, start + text, {"range": text, "accept": text})

    assert reply.status in {200, 206, 304, 400, 404, 405, 416}
