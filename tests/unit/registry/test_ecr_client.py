"""The client of Amazon ECR: keys, passwords, and manifests that are asked together."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from support.ecr_client import (
    AskingECR,
    SomeKeys,
    action_of,
    asking_ecr,
    password_answer,
    question_of,
    refused,
)
from support.registry_client import an_endpoint
from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.image.media_types import OCI_MANIFEST
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError, DocumentError, RateLimited, RegistryError
from weighbridge.ports.protocols import urgent
from weighbridge.registry.exchange.endpoint import KindAccess
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.ecr.ecr_registry import ECRRegistry, open_ecr
from weighbridge.registry.login.credentials import Credential
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.telemetry import Telemetry

SHOP = "shop/cart"
CONTENTS = [f"manifest {n}".encode() for n in range(250)]
DIGESTS = [digest_of(content) for content in CONTENTS]
BY_DIGEST = dict(zip(DIGESTS, CONTENTS, strict=True))
USUAL = 256 * 1024


def with_manifests(request: httpx.Request) -> httpx.Response:
    """Answers BatchGetImage, and nothing else."""
    assert action_of(request) == "BatchGetImage"
    question = question_of(request)
    assert question["registryId"] == "111122223333"
    assert len(question["imageIds"]) <= 100
    images = [
        {
            "imageId": one,
            "imageManifest": BY_DIGEST[one["imageDigest"]].decode(),
            "imageManifestMediaType": OCI_MANIFEST,
        }
        for one in question["imageIds"]
    ]
    return httpx.Response(200, json={"images": images, "failures": []})


class Registry:
    """`/v2`: one password at a time; every manifest."""

    def __init__(self) -> None:
        self.password = "password-1"
        self.refusals = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        expected = httpx.BasicAuth("AWS", self.password)._auth_header
        if request.headers.get("authorization") != expected:
            self.refusals += 1
            challenge = 'Basic realm="https://registry.example/",service="ecr"'
            return httpx.Response(401, headers={"www-authenticate": challenge})
        content = BY_DIGEST[Digest(request.url.path.rpartition("/")[2])]
        return httpx.Response(
            200, content=content, headers={"content-type": OCI_MANIFEST}
        )


class Passwords:
    """Answers GetAuthorizationToken with a new password each time."""

    def __init__(self, asking: Callable[[], AskingECR], lasts_s: float) -> None:
        self.given = 0
        self._asking = asking
        self._lasts_s = lasts_s

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if action_of(request) == "BatchGetImage":
            return refused("InvalidParameterException")
        assert question_of(request) == {}
        self.given += 1
        now = self._asking().time.clock.now().timestamp()
        return password_answer(f"password-{self.given}", now + self._lasts_s)


async def get(ask: AskingECR, digest: Digest) -> bytes:
    return (await ask.ecr.get_manifest(SHOP, digest, USUAL)).content


async def test_manifests_that_wait_together_are_asked_for_by_the_hundred() -> None:
    ask = asking_ecr(with_manifests)

    found = await asyncio.gather(*(get(ask, digest) for digest in DIGESTS))

    assert found == CONTENTS
    asked = [len(question_of(request)["imageIds"]) for request in ask.api.requests]
    assert sorted(asked) == [50, 100, 100]


async def test_a_manifest_has_the_type_that_the_api_names() -> None:
    answer = await asking_ecr(with_manifests).ecr.get_manifest(SHOP, DIGESTS[0], USUAL)

    assert (answer.content_type, answer.digest) == (OCI_MANIFEST, DIGESTS[0])


async def test_one_that_somebody_waits_for_does_not_wait_for_others() -> None:
    ask = asking_ecr(with_manifests)

    with urgent():
        found = await get(ask, DIGESTS[0])

    assert found == CONTENTS[0]
    assert ask.time.sleeps == []


async def test_who_goes_away_takes_no_answer_from_the_others() -> None:
    ask = asking_ecr(with_manifests)
    tasks = [asyncio.create_task(get(ask, digest)) for digest in DIGESTS[:3]]
    await asyncio.sleep(0)

    tasks[0].cancel()

    assert await asyncio.gather(*tasks[1:]) == CONTENTS[1:3]


async def test_a_refusal_is_told_to_all_who_wait_and_not_to_the_next() -> None:
    refusals = [refused("AccessDeniedException", "ecr:BatchGetImage is not allowed")]
    ask = asking_ecr(
        lambda request: refusals.pop() if refusals else with_manifests(request)
    )

    found = await asyncio.gather(
        *(get(ask, digest) for digest in DIGESTS[:5]), return_exceptions=True
    )

    assert [getattr(error, "code", "") for error in found] == ["denied"] * 5
    assert isinstance(found[0], AuthError)
    assert "ecr:BatchGetImage" in found[0].hint
    assert await get(ask, DIGESTS[0]) == CONTENTS[0]


async def test_a_client_that_is_closed_ends_what_is_under_way() -> None:
    is_asked = asyncio.Event()

    async def never(request: httpx.Request) -> httpx.Response:
        is_asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    ask = asking_ecr(never)
    task = asyncio.create_task(get(ask, DIGESTS[0]))
    await is_asked.wait()

    await ask.ecr.aclose()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ask.api.is_closed
    assert ask.registry.is_closed


async def test_a_manifest_that_is_longer_than_wanted_is_too_large() -> None:
    with pytest.raises(DocumentError) as caught:
        await asking_ecr(with_manifests).ecr.get_manifest(SHOP, DIGESTS[0], 3)

    assert caught.value.code == "too_large"


async def test_what_the_api_does_not_give_is_read_from_the_registry() -> None:
    passwords = Passwords(lambda: ask, 12 * 3600)
    ask = asking_ecr(passwords, Registry())

    assert await get(ask, DIGESTS[0]) == CONTENTS[0]
    assert ask.actions == ["BatchGetImage", "GetAuthorizationToken"]


async def test_a_password_is_asked_for_anew_before_its_end() -> None:
    registry = Registry()
    passwords = Passwords(lambda: ask, 12 * 3600)
    ask = asking_ecr(passwords, registry)
    await get(ask, DIGESTS[0])
    await get(ask, DIGESTS[1])
    assert (passwords.given, registry.refusals) == (1, 1)

    ask.time.advance(11 * 3600)
    registry.password = "password-2"
    await get(ask, DIGESTS[2])

    assert (passwords.given, registry.refusals) == (2, 1)


async def test_a_password_that_was_revoked_is_replaced_and_the_request_repeated() -> (
    None
):
    registry = Registry()
    passwords = Passwords(lambda: ask, 12 * 3600)
    ask = asking_ecr(passwords, registry)
    await get(ask, DIGESTS[0])

    ask.time.advance(3600)
    registry.password = "password-2"
    found = await asyncio.gather(*(get(ask, digest) for digest in DIGESTS[:20]))

    assert found == CONTENTS[:20]
    assert passwords.given == 2


async def test_a_registry_that_refuses_new_passwords_is_not_given_more() -> None:
    passwords = Passwords(lambda: ask, 12 * 3600)
    registry = Registry()
    registry.password = "of another account"
    ask = asking_ecr(passwords, registry)

    found = await asyncio.gather(
        *(get(ask, digest) for digest in DIGESTS[:20]), return_exceptions=True
    )

    assert {getattr(error, "code", "") for error in found} == {"unauthorized"}
    assert passwords.given == 1


async def test_a_password_that_is_not_given_is_asked_for_once_by_all_who_wait() -> None:
    ask = asking_ecr(
        lambda request: (
            with_manifests(request)
            if action_of(request) == "BatchGetImage"
            else refused("AccessDeniedException")
        ),
        Registry(),
    )

    found = await asyncio.gather(
        *(ask.ecr.get_manifest(SHOP, digest) for digest in DIGESTS[:20]),
        return_exceptions=True,
    )

    errors = [error for error in found if isinstance(error, AuthError)]
    assert [error.code for error in errors] == ["denied"] * 20
    assert "ECR refuses GetAuthorizationToken" in errors[0].message
    assert ask.actions == ["GetAuthorizationToken"]


async def test_a_key_that_has_ended_is_renewed_once() -> None:
    answers = [httpx.Response(200, json={"repositories": []})]
    answers.append(refused("ExpiredTokenException"))
    keys = SomeKeys(renewals=1)
    ask = asking_ecr(lambda _: answers.pop(), keys=keys)

    assert [page.names async for page in ask.ecr.repositories()] == [()]
    shown = [str(value) for value in ask.api.sent("authorization")]
    assert ["AKIATEST00000001" in shown[0], "AKIATEST00000002" in shown[1]] == [
        True
    ] * 2


async def test_a_key_that_is_refused_again_is_given_up() -> None:
    ask = asking_ecr(
        lambda _: refused("UnrecognizedClientException"), keys=SomeKeys(renewals=9)
    )

    with pytest.raises(AuthError) as caught:
        [page async for page in ask.ecr.repositories()]

    assert caught.value.code == "unauthorized"
    assert "as the keys of a test" in caught.value.message
    assert "ecr:DescribeRepositories" in caught.value.hint
    assert len(ask.api.requests) == 2


async def test_each_attempt_is_signed_with_the_time_at_which_it_goes() -> None:
    ask = asking_ecr(lambda _: refused("ThrottlingException", "Rate exceeded"))

    with pytest.raises(RateLimited):
        [page async for page in ask.ecr.repositories()]

    dates = ask.api.sent("x-amz-date")
    assert len(set(dates)) > 1
    assert ask.ecr.cost.throttled == len(dates)


async def test_a_redirect_of_the_api_is_not_followed() -> None:
    away = {"location": "https://evil.example/"}
    ask = asking_ecr(lambda _: httpx.Response(307, headers=away))

    with pytest.raises(RegistryError):
        [page async for page in ask.ecr.repositories()]

    assert [str(request.url) for request in ask.api.requests] == [
        "https://api.example/"
    ]


async def test_neither_key_nor_signature_is_shown_to_the_registry() -> None:
    passwords = Passwords(lambda: ask, 12 * 3600)
    ask = asking_ecr(passwords, Registry())

    await get(ask, DIGESTS[0])

    told = [str(request.headers) for request in ask.registry.requests]
    assert not any("AKIATEST" in text or "x-amz" in text for text in told)
    shown = [str(value) for value in ask.api.sent("authorization")]
    assert all(value.startswith("AWS4-HMAC-SHA256 ") for value in shown)


@pytest.mark.parametrize(
    ("username", "expected"),
    [("AWS", DistributionRegistry), ("AKIATEST00000001", ECRRegistry)],
)
async def test_what_docker_login_left_opens_the_registry_alone(
    username: str, expected: type[DistributionRegistry]
) -> None:
    """Such as for an address that is not configured."""
    url = "https://111122223333.dkr.ecr.eu-central-1.amazonaws.com"
    endpoint = an_endpoint(url=url, credential=Credential(username, Secret("x")))
    access = KindAccess(Telemetry(), Clock(), lambda _part, _most=None: None)

    client = open_ecr(endpoint, access)

    assert type(client) is expected
    await client.aclose()
