"""Plain /v2: what is asked, what is believed, what is refused."""

import gzip
import json
from collections.abc import Callable, Iterator
from itertools import repeat

import httpx
import pytest

from support.handler_connections import Handler
from support.registry_client import (
    OWNER,
    an_endpoint,
    asking,
    error_answer,
    json_answer,
)
from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.image.manifest import ACCEPT
from weighbridge.domain.limits import (
    MANIFEST_BODY_BYTES,
    PAGE_BODY_BYTES,
    TAGS_PER_REPOSITORY,
)
from weighbridge.domain.registry.listing import RepositoryListing, TagPage, TagSeen
from weighbridge.errors import (
    DocumentError,
    InvalidReference,
    ListingError,
    NotFound,
    RegistryError,
)
from weighbridge.ports.protocols import RangeAnswer

MANIFEST = b'{"schemaVersion":2,"layers":[]}'
DIGEST = digest_of(MANIFEST)
CONFIG = b'{"architecture":"amd64","os":"linux"}'
BLOB = gzip.compress(b"x" * 5000, mtime=0)
BLOB_DIGEST = digest_of(BLOB)
OCI = "application/vnd.oci.image.manifest.v1+json"
OTHER = Digest("sha256:" + "1" * 64)


def serving(
    content: bytes, status: int = 200, **headers: str
) -> Callable[[httpx.Request], httpx.Response]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: httpx.Response(status, content=content, headers=given)


# Listings


async def test_the_catalog_is_asked_for_long_pages_and_followed_by_link() -> None:
    pages = {
        "/v2/_catalog?n=1000": json_answer(
            b'{"repositories":["shop/cart"]}',
            link='</v2/_catalog?last=shop%2Fcart&n=1000>; rel="next"',
        ),
        "/v2/_catalog?last=shop%2Fcart&n=1000": json_answer(
            b'{"repositories":["shop/till",".."]}'
        ),
    }
    ask = asking(lambda request: pages[request.url.raw_path.decode()])

    got = [page async for page in ask.registry.repositories()]

    assert got == [
        RepositoryListing(("shop/cart",)),
        RepositoryListing(("shop/till",), invalid=1),
    ]
    assert ask.connections.sent("accept") == ["application/json"] * 2


async def test_a_registry_that_refuses_long_pages_is_asked_without_a_length() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.query:
            return error_answer(400, "PAGINATION_NUMBER_INVALID")
        return json_answer(b'{"repositories":["shop/cart"]}')

    ask = asking(handler)

    got = [page async for page in ask.registry.repositories()]

    assert got == [RepositoryListing(("shop/cart",))]
    assert ask.connections.paths == ["/v2/_catalog?n=1000", "/v2/_catalog"]


async def test_400_without_a_length_is_an_error() -> None:
    ask = asking(lambda _: error_answer(400, "PAGINATION_NUMBER_INVALID"))

    with pytest.raises(RegistryError):
        [page async for page in ask.registry.repositories()]

    assert len(ask.connections.requests) == 2


async def test_a_closed_catalog_tells_to_name_the_repositories() -> None:
    ask = asking(lambda _: httpx.Response(401), an_endpoint(credential=OWNER))

    with pytest.raises(RegistryError) as refused:
        [page async for page in ask.registry.repositories()]

    assert "`repositories`" in refused.value.hint


async def test_tags_of_a_listing_that_breaks_off_are_good_registry_list_009() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if b"last" in request.url.query:
            return httpx.Response(500)
        return json_answer(
            b'{"name":"shop/cart","tags":["v1"]}', link='<?last=v1>; rel="next"'
        )

    pages = asking(handler).registry.tags("shop/cart")

    first = await anext(pages)
    with pytest.raises(ListingError) as broken:
        await anext(pages)

    assert first == TagPage((TagSeen("v1"),))
    assert broken.value.code == "registry_error"
    assert broken.value.retryable


async def test_a_next_in_the_body_leads_nowhere_registry_list_003() -> None:
    body = b'{"count":9,"next":"http://127.0.0.1:1/x","name":"shop/cart","tags":[]}'
    ask = asking(lambda _: json_answer(body))

    got = [page async for page in ask.registry.tags("shop/cart")]

    assert got == [TagPage(())]
    assert len(ask.connections.requests) == 1


async def test_a_page_beyond_the_cap_breaks_the_listing_registry_list_020() -> None:
    ask = asking(serving(b" " * (PAGE_BODY_BYTES + 1)))

    with pytest.raises(ListingError) as broken:
        [page async for page in ask.registry.tags("shop/cart")]

    assert broken.value.code == "too_large"


async def test_a_listing_of_names_without_end_is_left_at_its_cap() -> None:
    asked: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(len(asked))
        tags = [f"{len(asked)}-{n}" for n in range(10_000)]
        body = json.dumps({"name": "shop/cart", "tags": ["-bad", *tags]}).encode()
        link = f'</v2/shop/cart/tags/list?last={len(asked)}>; rel="next"'
        return json_answer(body, link=link)

    ask = asking(handler)

    with pytest.raises(ListingError) as broken:
        [page async for page in ask.registry.tags("shop/cart")]

    assert broken.value.code == "too_many_tags"
    assert len(asked) == 10


async def test_a_page_with_more_names_than_are_read_is_no_page_registry_list_020() -> (
    None
):
    tags = [f"t{number}" for number in range(TAGS_PER_REPOSITORY + 1)]
    body = json.dumps({"name": "shop/cart", "tags": tags}).encode()
    ask = asking(lambda _: json_answer(body))

    with pytest.raises(ListingError) as broken:
        await anext(ask.registry.tags("shop/cart"))

    assert broken.value.code == "too_many_tags"


async def test_an_unknown_repository_is_not_an_empty_one() -> None:
    ask = asking(lambda _: error_answer(404, "NAME_UNKNOWN", "unknown"))

    with pytest.raises(NotFound) as missing:
        [page async for page in ask.registry.tags("shop/gone")]

    assert missing.value.code == "name_unknown"


# HEAD


async def test_head_gives_the_digest_that_the_registry_says() -> None:
    ask = asking(serving(b"", docker_content_digest=DIGEST))

    assert await ask.registry.head_manifest("shop/cart", "v1") == DIGEST
    request = ask.connections.requests[0]
    assert (request.method, request.headers["accept"]) == ("HEAD", ACCEPT)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("docker-content-digest", "sha256:short")],
        [("docker-content-digest", DIGEST), ("docker-content-digest", OTHER)],
        [("docker-content-digest", DIGEST.upper())],
    ],
)
async def test_head_without_one_usable_digest_gives_none(
    headers: list[tuple[str, str]],
) -> None:
    ask = asking(lambda _: httpx.Response(200, headers=headers))

    assert await ask.registry.head_manifest("shop/cart", "v1") is None


@pytest.mark.parametrize("status", [405, 501])
async def test_a_registry_without_head_is_asked_by_get_instead(status: int) -> None:
    ask = asking(lambda _: httpx.Response(status))

    assert await ask.registry.head_manifest("shop/cart", "v1") is None


async def test_head_of_a_missing_tag_is_not_found() -> None:
    ask = asking(lambda _: httpx.Response(404))

    with pytest.raises(NotFound):
        await ask.registry.head_manifest("shop/cart", "v9")


# Manifests


async def test_a_manifest_by_tag_is_named_by_its_content() -> None:
    ask = asking(serving(MANIFEST, content_type=OCI, docker_content_digest=DIGEST))

    answer = await ask.registry.get_manifest("shop/cart", "v1")

    assert answer.content == MANIFEST
    assert (answer.content_type, answer.digest) == (OCI, DIGEST)
    assert answer.claimed_digest == DIGEST
    assert ask.connections.paths == ["/v2/shop/cart/manifests/v1"]
    assert ask.connections.sent("accept") == [ACCEPT]


async def test_a_lying_digest_header_is_passed_on_but_not_believed_manifest_030() -> (
    None
):
    ask = asking(serving(MANIFEST, content_type=OCI, docker_content_digest=OTHER))

    answer = await ask.registry.get_manifest("shop/cart", "v1")

    assert (answer.digest, answer.claimed_digest) == (DIGEST, OTHER)
    asked = [(r.method, r.url.path[-8:]) for r in ask.connections.requests]
    assert asked == [("GET", "fests/v1"), ("HEAD", DIGEST[-8:])]


def knowing(*digests: Digest, served: Iterator[bytes]) -> Handler:
    """A registry that has these manifests, and serves other bytes in turn by tag; it
    calls all of them DIGEST."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "HEAD":
            is_known = request.url.path.rpartition("/")[2] in digests
            return httpx.Response(200 if is_known else 404)
        headers = {"docker-content-digest": DIGEST}
        return httpx.Response(200, content=next(served), headers=headers)

    return handler


async def test_f07_bytes_that_changed_on_their_way_are_asked_for_again() -> None:
    ask = asking(knowing(DIGEST, served=iter([b"altered", MANIFEST])))

    answer = await ask.registry.get_manifest("shop/cart", "v1")

    assert (answer.content, answer.digest) == (MANIFEST, DIGEST)
    assert ask.sample("weighbridge_integrity_errors_total") == 1


async def test_f07_a_manifest_by_tag_that_stays_altered_is_refused() -> None:
    ask = asking(knowing(DIGEST, served=repeat(b"altered")))

    with pytest.raises(DocumentError) as refused:
        await ask.registry.get_manifest("shop/cart", "v1")

    assert refused.value.code == "digest_mismatch"
    assert ask.sample("weighbridge_integrity_errors_total") == 2


async def test_manifest_030_a_header_that_names_nothing_is_not_believed() -> None:
    # It knows manifests by their tags alone.
    ask = asking(knowing(served=repeat(b"another")))

    answer = await ask.registry.get_manifest("shop/cart", "v1")

    assert answer.digest == digest_of(b"another")


async def test_a_claim_that_is_no_digest_is_made_printable() -> None:
    ask = asking(serving(MANIFEST, docker_content_digest="x" * 999 + "\t"))

    answer = await ask.registry.get_manifest("shop/cart", "v1")

    assert answer.claimed_digest == "x" * 136


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_a_manifest_by_digest_is_checked(algorithm: str) -> None:
    digest = digest_of(MANIFEST, algorithm)
    ask = asking(serving(MANIFEST))

    answer = await ask.registry.get_manifest("shop/cart", digest)

    assert answer.digest == digest


async def test_a_wrong_manifest_is_asked_for_once_more_manifest_029() -> None:
    answers = iter([b"another", MANIFEST])
    ask = asking(lambda _: httpx.Response(200, content=next(answers)))

    answer = await ask.registry.get_manifest("shop/cart", DIGEST)

    assert answer.content == MANIFEST
    assert ask.sample("weighbridge_integrity_errors_total") == 1


async def test_a_manifest_that_stays_wrong_is_refused_manifest_029() -> None:
    ask = asking(serving(b"another"))

    with pytest.raises(DocumentError) as refused:
        await ask.registry.get_manifest("shop/cart", DIGEST)

    assert refused.value.code == "digest_mismatch"
    assert len(ask.connections.requests) == 2
    assert ask.sample("weighbridge_integrity_errors_total") == 2


async def test_a_manifest_may_have_exactly_4_mib_and_not_one_more_manifest_025() -> (
    None
):
    content = b" " * MANIFEST_BODY_BYTES
    exact, beyond = asking(serving(content)), asking(serving(content + b" "))

    answer = await exact.registry.get_manifest("shop/cart", "v1")
    with pytest.raises(DocumentError) as refused:
        await beyond.registry.get_manifest("shop/cart", "v1")

    assert len(answer.content) == MANIFEST_BODY_BYTES
    assert refused.value.code == "too_large"
    assert len(beyond.connections.requests) == 1


async def test_a_manifest_with_an_errors_member_is_still_a_manifest() -> None:
    content = b'{"schemaVersion":2,"errors":[{"code":"TOOMANYREQUESTS"}]}'
    ask = asking(serving(content))

    answer = await ask.registry.get_manifest("shop/cart", "v1")

    assert answer.content == content


@pytest.mark.parametrize("reference", ["../../etc", "", "v1/..", "sha256:0", "a b"])
async def test_what_is_no_reference_never_becomes_a_url(reference: str) -> None:
    ask = asking(serving(MANIFEST))

    with pytest.raises(InvalidReference):
        await ask.registry.get_manifest("shop/cart", reference)
    with pytest.raises(InvalidReference):
        await ask.registry.get_manifest("../vault", "v1")

    assert ask.connections.requests == []


# Blobs


async def test_a_config_is_read_whole_and_checked() -> None:
    ask = asking(serving(CONFIG))

    got = await ask.registry.get_blob("shop/cart", digest_of(CONFIG), len(CONFIG), 4096)

    assert got == CONFIG
    assert ask.connections.paths == [f"/v2/shop/cart/blobs/{digest_of(CONFIG)}"]
    assert ask.registry.cost.by_operation == {"config": 1}


@pytest.mark.parametrize(
    "served",
    [
        pytest.param(b"{" * 2_000_000, id="config_blob-007 endless"),
        pytest.param(CONFIG + b" ", id="one more"),
        pytest.param(CONFIG[:-1], id="one less"),
    ],
)
async def test_a_config_of_another_length_is_refused(served: bytes) -> None:
    ask = asking(serving(served))

    with pytest.raises(DocumentError) as refused:
        await ask.registry.get_blob("shop/cart", digest_of(CONFIG), len(CONFIG), 4096)

    assert refused.value.code == "size_mismatch"
    assert len(ask.connections.requests) == 1


async def test_a_config_beyond_the_limit_is_not_asked_for_config_blob_008() -> None:
    ask = asking(serving(CONFIG))

    with pytest.raises(DocumentError) as refused:
        await ask.registry.get_blob("shop/cart", OTHER, 8_000_000, 4_194_304)

    assert refused.value.code == "too_large"
    assert ask.connections.requests == []


async def test_an_altered_config_is_refused_config_blob_009() -> None:
    ask = asking(serving(CONFIG.replace(b"amd64", b"arm64")))

    with pytest.raises(DocumentError) as refused:
        await ask.registry.get_blob("shop/cart", digest_of(CONFIG), len(CONFIG), 4096)

    assert refused.value.code == "digest_mismatch"
    assert ask.sample("weighbridge_integrity_errors_total") == 2


async def test_a_config_may_say_errors_without_being_one() -> None:
    config = b'{"errors":[{"code":"TOOMANYREQUESTS"}]}'
    ask = asking(serving(config, content_type="text/html"))

    got = await ask.registry.get_blob("shop/cart", digest_of(config), len(config), 4096)

    assert got == config


# Ranges


def ranged(request: httpx.Request) -> httpx.Response:
    first, last = map(int, request.headers["range"][6:].split("-"))
    return httpx.Response(
        206,
        content=BLOB[first : last + 1],
        headers={"content-range": f"bytes {first}-{last}/{len(BLOB)}"},
    )


async def range_of(
    handler: Callable[[httpx.Request], httpx.Response],
    first: int = 2,
    last: int = 9,
) -> RangeAnswer:
    registry = asking(handler).registry
    return await registry.get_range("shop/cart", BLOB_DIGEST, first, last)


async def refused_range(
    handler: Callable[[httpx.Request], httpx.Response],
) -> RegistryError:
    with pytest.raises(RegistryError) as refused:
        await range_of(handler)
    return refused.value


async def test_a_range_is_asked_for_with_both_ends() -> None:
    ask = asking(ranged)

    got = await ask.registry.get_range("shop/cart", BLOB_DIGEST, 2, 9)

    assert got == RangeAnswer(BLOB[2:10], len(BLOB))
    assert ask.connections.sent("range") == ["bytes=2-9"]
    assert ask.registry.cost.bytes_read == 8


async def test_a_whole_blob_may_come_as_200() -> None:
    got = await range_of(serving(BLOB), 0, len(BLOB) - 1)

    assert got == RangeAnswer(BLOB, len(BLOB))


async def test_a_part_is_cut_out_of_a_short_blob_that_comes_whole() -> None:
    got = await range_of(serving(BLOB))

    assert got == RangeAnswer(BLOB[2:10], len(BLOB))


async def test_a_long_blob_that_comes_whole_says_its_length_blob_range_001() -> None:
    got = await range_of(serving(b"\0" * 30_000_000))

    assert got == RangeAnswer(None, 30_000_000)


async def test_a_registry_that_ignores_ranges_is_told_apart() -> None:
    error = await refused_range(serving(b"", 400))

    assert error.code == "range_unsupported"


async def test_f07_a_whole_blob_of_other_bytes_is_refused() -> None:
    other = bytes([BLOB[0] ^ 1]) + BLOB[1:]

    with pytest.raises(DocumentError) as refused:
        await range_of(serving(other), 0, len(BLOB) - 1)

    assert refused.value.code == "digest_mismatch"


async def test_a_whole_blob_of_another_length_is_refused() -> None:
    with pytest.raises(DocumentError) as refused:
        await range_of(serving(BLOB + b"x"), 0, len(BLOB) - 1)

    assert refused.value.code == "digest_mismatch"


@pytest.mark.parametrize(
    "content_range",
    [
        pytest.param(["bytes 0-7/{n}"], id="blob_range-002 other bytes"),
        pytest.param(["bytes 2-9/{n}"] * 2, id="blob_range-003 twice"),
        pytest.param(["bytes */{n}"], id="blob_range-003 asterisk"),
        pytest.param(["bytes 2-9/*"], id="blob_range-003 unknown total"),
        pytest.param(["bytes 2-9/8"], id="blob_range-003 total below the last"),
        pytest.param(["bytes 2-9/1" + 15 * "0"], id="a total beyond any blob"),
        pytest.param([], id="absent"),
        pytest.param(["items 2-9/{n}"], id="another unit"),
        pytest.param(["bytes \uff12-9/{n}"], id="wide digit"),
    ],
)
async def test_a_206_must_say_exactly_what_was_asked(content_range: list[str]) -> None:
    sizes = {"n": len(BLOB), "m": len(BLOB) + 1}
    headers = [
        (b"content-range", value.format(**sizes).encode()) for value in content_range
    ]

    error = await refused_range(
        lambda _: httpx.Response(206, content=BLOB[2:10], headers=headers)
    )

    assert error.code == "bad_content_range"


@pytest.mark.parametrize("content", [BLOB[2:9], BLOB[2:11], b"", b"x" * 70_000])
async def test_a_206_must_have_the_length_that_it_says(content: bytes) -> None:
    content_range = f"bytes 2-9/{len(BLOB)}"

    error = await refused_range(serving(content, 206, content_range=content_range))

    assert error.code == "bad_content_range"


class Storage:
    """A registry that sends to a signed URL at a storage host.

    refuses: how many signed URLs have run out before one is good
    """

    def __init__(self, refuses: int = 0) -> None:
        self.refuses = refuses
        self.signed = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "storage.example":
            is_fresh = int(request.url.params["signature"]) > self.refuses
            return ranged(request) if is_fresh else httpx.Response(403)
        if "authorization" not in request.headers:
            return httpx.Response(401, headers={"www-authenticate": "Basic realm=x"})
        self.signed += 1
        to = f"https://storage.example/blob?signature={self.signed}"
        return httpx.Response(307, headers={"location": to})


async def test_a_range_follows_to_storage_without_credentials_blob_range_011() -> None:
    ask = asking(Storage(), an_endpoint(credential=OWNER))

    got = await ask.registry.get_range("shop/cart", BLOB_DIGEST, 2, 9)

    assert got == RangeAnswer(BLOB[2:10], len(BLOB))
    last = ask.connections.requests[-1]
    assert last.url.host == "storage.example"
    assert last.headers["range"] == "bytes=2-9"
    assert "authorization" not in last.headers


@pytest.mark.parametrize(
    ("refuses", "signed"),
    [pytest.param(1, 2, id="blob_range-011 once"), pytest.param(9, 2, id="for ever")],
)
async def test_a_signed_url_that_ran_out_is_made_anew_once(
    refuses: int, signed: int
) -> None:
    storage = Storage(refuses)
    ask = asking(storage, an_endpoint(credential=OWNER))
    wanted = ask.registry.get_range("shop/cart", BLOB_DIGEST, 2, 9)

    if refuses == 1:
        assert (await wanted).content == BLOB[2:10]
    else:
        with pytest.raises(RegistryError) as refused:
            await wanted
        assert refused.value.code == "denied"

    assert storage.signed == signed


async def test_403_by_the_registry_itself_is_final() -> None:
    ask = asking(serving(b"", 403))

    with pytest.raises(RegistryError) as refused:
        await ask.registry.get_range("shop/cart", BLOB_DIGEST, 2, 9)

    assert refused.value.code == "denied"
    assert len(ask.connections.requests) == 1


async def test_another_total_is_the_registrys_word_blob_range_003() -> None:
    content_range = f"bytes 2-9/{len(BLOB) + 1}"

    got = await range_of(serving(BLOB[2:10], 206, content_range=content_range))

    assert got == RangeAnswer(BLOB[2:10], len(BLOB) + 1)


async def test_a_blob_that_ends_within_the_range_is_given_to_its_end() -> None:
    got = await range_of(serving(b"12345", 206, content_range="bytes 2-6/7"))

    assert got == RangeAnswer(b"12345", 7)


async def test_416_says_how_long_the_blob_is() -> None:
    got = await range_of(serving(b"", 416, content_range="bytes */2"))

    assert got == RangeAnswer(b"", 2)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="blob_range-011"),
        pytest.param({"content-range": "bytes */*"}, id="asterisks"),
        pytest.param({"content-range": "bytes 2-9/10"}, id="a range"),
        pytest.param({"content-range": f"bytes */{2**44 + 1}"}, id="beyond any blob"),
    ],
)
async def test_416_that_says_no_length_is_an_error_of_its_own(
    headers: dict[str, str],
) -> None:
    error = await refused_range(serving(b"", 416, **headers))

    assert error.code == "range_not_satisfiable"


async def test_storage_that_wants_credentials_gets_none_registry_http_001() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "storage.example":
            return httpx.Response(401, headers={"www-authenticate": "Basic realm=x"})
        return httpx.Response(302, headers={"location": "https://storage.example/m"})

    ask = asking(handler, an_endpoint(credential=OWNER))

    with pytest.raises(RegistryError) as refused:
        await ask.registry.get_manifest("shop/cart", "v1")

    assert refused.value.code == "unauthorized"
    assert ask.connections.sent("authorization") == [None, None]
