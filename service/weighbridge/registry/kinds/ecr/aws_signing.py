"""Requests to an API of AWS: signed right before they are sent, with the key that is
good then; and its refusals, told as HTTP and the distribution specification tell them.

AWS Signature Version 4 is of the general reference, "Create a signed AWS API request".
Only what is asked here is signed: a POST of `/` without a query.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.limits import ERROR_BODY_BYTES
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import DocumentError
from weighbridge.net.http1.answer import HTTPAnswer
from weighbridge.net.http1.head import HTTPRequest, Sender
from weighbridge.registry.kinds.ecr.aws_keys import AccessKey, KeySource
from weighbridge.registry.pacing.rate_limiter import Clock

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_SIGNED: Final = frozenset({b"content-type", b"x-amz-target"})
Field = tuple[bytes, bytes]


class SigningScope(Struct, frozen=True):
    """What a signature is good for, besides its day."""

    region: str
    service: str


def signed_fields(
    key: AccessKey,
    scope: SigningScope,
    host: bytes,
    fields: Iterable[Field],
    body: bytes,
    now: datetime,
) -> list[Field]:
    """The fields of a POST of `/`, with those that sign it.

    host: the value of `Host`
    """
    at = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    fields = [*fields, (b"X-Amz-Date", at.encode())]
    if key.session_token is not None:
        token = key.session_token.reveal().encode("latin-1", "replace")
        fields.append((b"X-Amz-Security-Token", token))
    signed = {b"host": host}
    for name, value in fields:
        lower = name.lower()
        if lower in _SIGNED or lower.startswith(b"x-amz-"):
            signed[lower] = b" ".join(value.split())
    names = b";".join(sorted(signed))
    lines = (b"%s:%s\n" % (name, signed[name]) for name in sorted(signed))
    whole = b"POST\n/\n\n%s\n%s\n%s" % (b"".join(lines), names, _hash(body))
    day = f"{at[:8]}/{scope.region}/{scope.service}/aws4_request"
    text = f"{_ALGORITHM}\n{at}\n{day}\n{_hash(whole).decode()}"
    step = f"AWS4{key.secret.reveal()}".encode()
    for part in (*day.split("/"), text):
        step = hmac.digest(step, part.encode(), "sha256")
    authorization = (
        f"{_ALGORITHM} Credential={key.key_id}/{day},"
        f" SignedHeaders={names.decode()}, Signature={step.hex()}"
    )
    fields.append((b"Authorization", authorization.encode("latin-1", "replace")))
    return fields


def _hash(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


_Meaning = tuple[int, bytes, str]
_TOO_MANY: Final[_Meaning] = (429, b"Too Many Requests", "TOOMANYREQUESTS")
_DENIED: Final[_Meaning] = (403, b"Forbidden", "DENIED")
_UNAUTHORIZED: Final[_Meaning] = (401, b"Unauthorized", "UNAUTHORIZED")
_NO_NAME: Final[_Meaning] = (404, b"Not Found", "NAME_UNKNOWN")
_MEANINGS: Final[Mapping[str, _Meaning]] = {
    # AWS SDKs and tools reference guide, "Retry behavior", errors that throttle.
    "Throttling": _TOO_MANY,
    "ThrottlingException": _TOO_MANY,
    "ThrottledException": _TOO_MANY,
    "RequestThrottled": _TOO_MANY,
    "RequestThrottledException": _TOO_MANY,
    "TooManyRequestsException": _TOO_MANY,
    "RequestLimitExceeded": _TOO_MANY,
    "LimitExceededException": _TOO_MANY,
    "SlowDown": _TOO_MANY,
    # ECR API reference, "Common Errors".
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "NotAuthorized": _DENIED,
    "OptInRequired": _DENIED,
    "ExpiredToken": _UNAUTHORIZED,
    "ExpiredTokenException": _UNAUTHORIZED,
    "IncompleteSignature": _UNAUTHORIZED,
    "IncompleteSignatureException": _UNAUTHORIZED,
    "InvalidClientTokenId": _UNAUTHORIZED,
    "InvalidSignatureException": _UNAUTHORIZED,
    "MissingAuthenticationToken": _UNAUTHORIZED,
    "MissingAuthenticationTokenException": _UNAUTHORIZED,
    "RequestExpired": _UNAUTHORIZED,
    "SignatureDoesNotMatch": _UNAUTHORIZED,
    "UnrecognizedClientException": _UNAUTHORIZED,
    # ECR API reference, errors of DescribeImages.
    "RepositoryNotFoundException": _NO_NAME,
}
"""What AWS says by 400 and a name, as a status and a code."""
_CODE_CHARACTERS: Final = 80


def told_by_status(answer: HTTPAnswer) -> HTTPAnswer:
    """A refusal of AWS (`__type` and a message, nearly always with 400), so that its
    status and its body say what it is. Others come back as they are."""
    if answer.status < 400 or b'"__type"' not in answer.body:
        return answer
    try:
        said = parse_json(answer.body[:ERROR_BODY_BYTES])
    except DocumentError:
        return answer
    if not isinstance(said, dict) or not isinstance(named := said.get("__type"), str):
        return answer
    # Some have a namespace before it, and some an address behind.
    name = named.rpartition("#")[2].partition(":")[0][:_CODE_CHARACTERS]
    message = said.get("message", said.get("Message"))
    text = f"{name}: {message}" if isinstance(message, str) else name
    found = _MEANINGS.get(name)
    status, reason, code = found or (answer.status, answer.reason, "")
    body = json.dumps({"errors": [{"code": code, "message": text}]}).encode()
    return replace(answer, status=status, reason=reason, body=body)


class SigningSender:
    """Signs each request at the moment in which it goes: one that has waited for its
    turn has no old date, and no key that ended meanwhile."""

    def __init__(
        self, sender: Sender, keys: KeySource, scope: SigningScope, clock: Clock
    ) -> None:
        self._sender = sender
        self._keys = keys
        self._scope = scope
        self._clock = clock

    async def send(self, request: HTTPRequest) -> HTTPAnswer:
        """See `Sender`. Raises AuthError too: where there is no key."""
        fields = signed_fields(
            await self._keys.current(),
            self._scope,
            request.address.netloc,
            request.fields,
            request.body,
            self._clock.now(),
        )
        answer = await self._sender.send(replace(request, fields=fields))
        return told_by_status(answer)

    async def aclose(self) -> None:
        await self._sender.aclose()
