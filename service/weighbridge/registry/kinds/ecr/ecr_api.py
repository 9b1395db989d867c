"""The API of Amazon ECR: listings, manifests by the hundred, and the token that opens
`/v2`. Actions and shapes are of the service model of 2015-09-21 (botocore, data/ecr).

A page of images has a thousand of them, each with its digest and all of its tags. The
size of an image is that of its compressed layers; of an index it is the largest of its
images, which is no image's own.
"""

import base64
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final, TypeAlias

import httpx
from msgspec import Struct

from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.image.media_types import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    MANIFESTS,
    OCI_INDEX,
    OCI_MANIFEST,
)
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.limits import PAGE_BODY_BYTES, TOKEN_BODY_BYTES
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.domain.text.printable import Secret
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import (
    AuthError,
    DocumentError,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports.protocols import ShownRights
from weighbridge.registry.auth.token_server import token_errors
from weighbridge.registry.exchange.paced_exchange import (
    PacedExchange,
    answer_of,
    question_of,
)
from weighbridge.registry.exchange.paging import (
    ListingPage,
    page_members,
    unusable_page,
)
from weighbridge.registry.exchange.registry_request import Operation
from weighbridge.registry.exchange.vendor_api import VendorAPI, read_digest, read_size
from weighbridge.registry.kinds.ecr.aws_keys import KeySource
from weighbridge.registry.login.credentials import Credential, GivenCredential
from weighbridge.registry.pacing.rate_limiter import Clock

_LISTING: Final = "ECR's listing"
PAGE_LENGTH: Final = 1_000
"""The most that DescribeRepositories and DescribeImages give."""
BATCH: Final = 100
"""The most manifests of one BatchGetImage."""
ACCEPTED: Final = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST)
_NEXT_CHARACTERS: Final = 16 * 1024
_END_OF_TIME: Final = 253_402_300_800.0
"""The year 10000, which no date has."""


def parse_ecr_repositories(raw: bytes, account: str) -> ListingPage:
    """An answer to DescribeRepositories. Entries of another account than `account` are
    counted as invalid; "" for any. Raises DocumentError(invalid_listing, ...)."""
    page = page_members(raw, _LISTING)
    entries = listed_entries(page, "repositories")
    names = [_repository(entry, account) for entry in entries]
    good = tuple(dict.fromkeys(name for name in names if name is not None))
    following = next_token(page)
    key = page_key(good, following)
    return ListingPage(good, names.count(None), next=following, key=key)


def _repository(entry: object, account: str) -> str | None:
    if not isinstance(entry, dict):
        return None
    if account and entry.get("registryId", account) != account:
        return None
    name = entry.get("repositoryName")
    return name if isinstance(name, str) and is_repository_name(name) else None


def parse_ecr_images(raw: bytes, repository: str) -> ListingPage:
    """An answer to DescribeImages: the tags of its images. Images without a tag are
    passed over. Of a tag that two images have, the digest is not known. Raises
    DocumentError(invalid_listing, ...)."""
    page = page_members(raw, _LISTING)
    tags: dict[str, TagSeen] = {}
    invalid = 0
    for entry in listed_entries(page, "imageDetails"):
        names, bad = _tags_of(entry, repository)
        invalid += bad
        for name in names:
            seen = _seen(name, entry)
            if (before := tags.get(name)) and before.digest != seen.digest:
                seen = TagSeen(name)
            tags[name] = seen
    following = next_token(page)
    key = page_key(tuple(tags), following)
    return ListingPage(tuple(tags), invalid, tuple(tags.values()), None, following, key)


def _tags_of(entry: object, repository: str) -> tuple[list[str], int]:
    """Well-formed tags of an image, and how many are none."""
    if not isinstance(entry, dict):
        return [], 1
    if entry.get("repositoryName", repository) != repository:
        raise unusable_page(_LISTING, "it is of another repository")
    tags = entry.get("imageTags")
    if tags is None:
        return [], 0
    if not isinstance(tags, list):
        return [], 1
    good = [tag for tag in tags if isinstance(tag, str) and is_tag(tag)]
    return good, len(tags) - len(good)


def _seen(name: str, entry: object) -> TagSeen:
    image = entry if isinstance(entry, dict) else {}
    digest = read_digest(image.get("imageDigest"))
    size = read_size(image.get("imageSizeInBytes"))
    is_one = image.get("imageManifestMediaType") in MANIFESTS
    sizes = ((digest, size),) if digest and size and is_one else ()
    return TagSeen(
        name,
        digest,
        read_epoch(image.get("imagePushedAt")),
        sizes,
        read_epoch(image.get("lastRecordedPullTime")),
    )


def read_epoch(value: object) -> datetime | None:
    """Seconds since 1970, in UTC; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return datetime.fromtimestamp(value, UTC) if 0 < value < _END_OF_TIME else None


def listed_entries(page: dict[str, object], key: str) -> list[object]:
    # An absent list says nothing; taken as an empty one it would delete everything.
    entries = page.get(key)
    if not isinstance(entries, list):
        raise unusable_page(_LISTING, f"{key!r} is not a list")
    return entries


def page_key(names: Sequence[str], following: str | None) -> str:
    """Pages without a name are told apart by what follows them; a page that comes again
    under ever new tokens, by its first name."""
    return "" if names else following or ""


def next_token(page: dict[str, object]) -> str | None:
    """Raises DocumentError where it cannot be told whether this is the last page."""
    following = page.get("nextToken")
    if following is None:
        return None
    if not isinstance(following, str) or not 0 < len(following) <= _NEXT_CHARACTERS:
        raise unusable_page(_LISTING, "its nextToken cannot be read")
    return following


class FetchedManifest(Struct, frozen=True):
    """A manifest whose bytes hash to the digest that it was asked by."""

    content: bytes
    media_type: str


FetchedBatch: TypeAlias = Mapping[Digest, FetchedManifest]
NOTHING_FETCHED: Final[FetchedBatch] = {}


def parse_ecr_batch(raw: bytes, asked: Sequence[Digest]) -> FetchedBatch:
    """What of an answer to BatchGetImage can be used. A manifest that was changed on
    its way (a converted one, or other spaces) is left out: `/v2` has it as it is. So
    is one that ECR says it has not: `/v2` is asked before that is believed.
    Raises DocumentError for what is no such answer."""
    page = page_members(raw, "ECR's manifests")
    wanted = frozenset(asked)
    images: dict[Digest, FetchedManifest] = {}
    for entry in _listed(page.get("images")):
        digest, text = _named(entry), entry.get("imageManifest")
        if digest not in wanted or digest in images or not isinstance(text, str):
            continue
        content = text.encode("utf-8", "replace")
        if digest_of(content, digest.partition(":")[0]) == digest:
            kind = entry.get("imageManifestMediaType")
            images[digest] = FetchedManifest(
                content, kind if isinstance(kind, str) else ""
            )
    return images


def _listed(value: object) -> list[dict[str, object]]:
    entries = value if isinstance(value, list) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def _named(entry: dict[str, object]) -> Digest:
    """The digest by which an entry is named; "" for none, which nobody asked for."""
    named = entry.get("imageId")
    found = read_digest(named.get("imageDigest")) if isinstance(named, dict) else None
    return found or Digest("")


_LASTS_S: Final = 12 * 3600.0
"""How long a token is good (GetAuthorizationToken)."""
_EARLY: Final = 0.1
"""Of its life: it is renewed before it ends."""
_LEAST_S: Final = 60.0


def parse_ecr_token(raw: bytes, now: datetime) -> GivenCredential:
    """An answer to GetAuthorizationToken, at `now`.

    A time of expiry that is over already or further away than a token can be good is
    not believed: whoever did would ask for ever. Raises AuthError(auth_error); the body
    is a secret, so no message repeats any of it.
    """
    try:
        page = parse_json(raw)
    except WeighbridgeError as exc:
        # `from None`: the cause may quote the body.
        raise _unusable(f"its answer is not JSON ({exc.code})") from None
    data = page.get("authorizationData") if isinstance(page, dict) else None
    # Of the public registry it is one, of others a list of one.
    found = _listed([data] if isinstance(data, dict) else data)
    text = found[0].get("authorizationToken") if found else None
    if not isinstance(text, str):
        raise _unusable("its answer holds no token")
    try:
        pair = base64.b64decode(text, validate=True).decode()
    except ValueError:
        raise _unusable("its token is not Base64") from None
    user, colon, password = pair.partition(":")
    if not (user and user.isprintable() and colon and password):
        raise _unusable("its token holds no user and password")
    lasts = _lasts_s(found[0].get("expiresAt"), now)
    return GivenCredential(Credential(user, Secret(password)), lasts)


def _lasts_s(expires_at: object, now: datetime) -> float:
    ends = read_epoch(expires_at)
    left = math.inf if ends is None else (ends - now).total_seconds()
    return (left if _LEAST_S <= left <= _LASTS_S else _LASTS_S) * (1 - _EARLY)


def _unusable(reason: str) -> AuthError:
    return AuthError(
        f"ECR's GetAuthorizationToken cannot be used: {reason}", hint="check `api_url`"
    )


_JSON_1_1: Final = "application/x-amz-json-1.1"
NEEDED: Final = tuple(
    f"ecr:{action}"
    for action in (
        "GetAuthorizationToken",
        "DescribeRepositories",
        "DescribeImages",
        "BatchGetImage",
        "GetDownloadUrlForLayer",
    )
)
"""Actions of IAM (service authorization reference, Amazon ECR)."""
_RIGHTS: Final = (
    "check the access key (`auth`, or what this machine has), this machine's clock, and"
    " that the policy allows {right}"
)


class ECRAPI(VendorAPI):
    """What is asked of the API. Every question is a POST; where it asks for a page, its
    action and its body are what tells it from others.

    http:    over a `SigningSender`
    account: whose registry it is, "" for the credentials' own
    region:  where that is, for messages

    service:    that requests are signed for; actions of IAM begin with it, too
    model_name: what the service model calls it
    needed:     actions of IAM
    """

    service: ClassVar = "ecr"
    model_name: ClassVar = "AmazonEC2ContainerRegistry_V20150921"
    needed: ClassVar[tuple[str, ...]] = NEEDED

    def __init__(
        self,
        http: httpx.AsyncClient,
        exchange: PacedExchange,
        url: str,
        account: str,
        keys: KeySource,
        region: str,
    ) -> None:
        super().__init__(http, exchange, url)
        self._account = account
        self._place = f" in {region} for the account {account or 'that signs'}"
        self._of_account = {"registryId": account} if account else {}
        self._keys = keys
        self.rights = ShownRights(self.needed)

    def repositories(self) -> AsyncIterator[ListingPage]:
        """All repositories of the account that we may see."""
        return self.pages_of(
            "DescribeRepositories",
            {},
            lambda raw: parse_ecr_repositories(raw, self._account),
            limits.REPOSITORIES_PER_REGISTRY,
        )

    def tags(self, repository: str) -> AsyncIterator[ListingPage]:
        """The tags of one repository. Raises NotFound(name_unknown) too."""
        return self.pages_of(
            "DescribeImages",
            # The parts of an index are images without a tag.
            {"repositoryName": repository, "filter": {"tagStatus": "TAGGED"}},
            lambda raw: parse_ecr_images(raw, repository),
            limits.TAGS_PER_REPOSITORY,
        )

    async def manifests(
        self, repository: str, digests: Sequence[Digest]
    ) -> FetchedBatch:
        """At most `BATCH` of them, as far as they can be had so. Nothing where the
        answer is longer than is read, or where one of them is no good question: `/v2`
        tells which."""
        question: dict[str, object] = {
            **self._of_account,
            "repositoryName": repository,
            "imageIds": [{"imageDigest": digest} for digest in digests],
            "acceptedMediaTypes": list(ACCEPTED),
        }
        try:
            answer = await self._ask(
                "BatchGetImage", question, "manifest_get", PAGE_BODY_BYTES
            )
            return parse_ecr_batch(answer.content, digests)
        except (DocumentError, RegistryError, TransportError) as error:
            is_final = error.code in ("too_large", "registry_error")
            if isinstance(error, DocumentError) or (is_final and not error.retryable):
                return NOTHING_FETCHED
            raise

    async def registry_password(self, clock: Clock) -> GivenCredential:
        """A new one. Raises AuthError, TransportError, RegistryError."""
        with token_errors(_unusable):
            answer = await self._ask(
                "GetAuthorizationToken", {}, "token", TOKEN_BODY_BYTES
            )
        return parse_ecr_token(answer.content, clock.now())

    async def send(self, url: str) -> httpx.Response:
        action, _, body = url.partition(" ")
        return await self._post(action, body, "bulk", PAGE_BODY_BYTES)

    def pages_of(
        self,
        action: str,
        question: dict[str, object],
        parse: Callable[[bytes], ListingPage],
        most: int,
    ) -> AsyncIterator[ListingPage]:
        """All pages of a listing, as long as they may be; most: entries."""
        whole = {**self._of_account, **question, "maxResults": PAGE_LENGTH}

        def page_after(
            url: str, answer: httpx.Response, page: ListingPage
        ) -> str | None:
            if page.next is None:
                return None
            return _page_url(action, whole | {"nextToken": page.next})

        first = _page_url(action, whole)
        return self.listing(first, parse, page_after, most=most, is_exact=True)

    async def _ask(
        self,
        action: str,
        question: dict[str, object],
        operation: Operation,
        body_limit: int,
    ) -> httpx.Response:
        try:
            return await self._post(action, json.dumps(question), operation, body_limit)
        except AuthError as error:
            self.counts.note_failure(operation, error)
            raise

    async def _post(
        self, action: str, body: str, operation: Operation, body_limit: int
    ) -> httpx.Response:
        """With another key where the first is refused: it may have ended."""
        right = f"{self.service}:{action}"
        try:
            answer = await self._post_once(action, body, operation, body_limit)
            if answer.status_code == 401 and await self._keys.renew():
                answer = await self._post_once(action, body, operation, body_limit)
            if answer.status_code == 401:
                question = question_of(answer.request)
                raise self.exchange.refusal(question, answer_of(answer))
        except AuthError as error:
            if error.code not in ("unauthorized", "denied"):
                raise
            if error.code == "denied":
                self.rights.refused.add(right)
            raise AuthError(
                f"ECR refuses {action}{self._place}: {error.message}",
                code=error.code,
                hint=_RIGHTS.format(right=right),
            ) from error
        if answer.status_code == 200:
            self.rights.used.add(right)
        return answer

    async def _post_once(
        self, action: str, body: str, operation: Operation, body_limit: int
    ) -> httpx.Response:
        return await self.http.post(
            f"{self.url}/",
            content=body.encode(),
            headers={
                "Content-Type": _JSON_1_1,
                "X-Amz-Target": f"{self.model_name}.{action}",
            },
            extensions={
                "operation": operation,
                "body_limit": body_limit,
                "may_repeat": True,  # it only reads
            },
        )


def _page_url(action: str, question: Mapping[str, object]) -> str:
    return f"{action} {json.dumps(question, sort_keys=True)}"
