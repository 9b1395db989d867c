"""Requests to AWS are signed as its own signer does it, its refusals understood."""

import json
from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.text.printable import Secret
from weighbridge.net.http1.answer import HTTPAnswer
from weighbridge.registry.kinds.ecr.aws_keys import AccessKey
from weighbridge.registry.kinds.ecr.aws_signing import (
    SigningScope,
    signed_fields,
    told_by_status,
)

NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
VECTOR_KEY = AccessKey(
    "AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
)
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


def test_the_signature_of_aws_own_test_suite() -> None:
    """post-vanilla of its suite for Signature Version 4."""
    scope = SigningScope("us-east-1", "service")

    signed = signed_fields(VECTOR_KEY, scope, b"example.amazonaws.com", (), b"", NOW)

    assert dict(signed)[b"Authorization"] == (
        b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
        b"aws4_request, SignedHeaders=host;x-amz-date, Signature="
        b"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    )


@given(
    secret=TEXT,
    token=st.none() | TEXT,
    body=st.binary(),
    # Bounds of Hypothesis have no time zone.
    now=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - see
    target=TEXT,
    agent=TEXT,
)
def test_a_request_is_signed_as_botocore_signs_it(
    secret: str, token: str | None, body: bytes, now: datetime, target: str, agent: str
) -> None:
    at = now.replace(tzinfo=UTC)
    key = AccessKey(
        "AKIDEXAMPLE", Secret(secret), None if token is None else Secret(token)
    )
    fields = [
        (b"User-Agent", agent.encode()),
        (b"Content-Type", b"application/x-amz-json-1.1"),
        (b"X-Amz-Target", target.encode()),
    ]

    signed = signed_fields(
        key,
        SigningScope("eu-west-1", "ecr"),
        b"api.example:8443",
        fields,
        body,
        at,
    )

    sent = {name.decode(): value.decode() for name, value in signed}
    ours = sent.pop("Authorization")
    request = AWSRequest("POST", "http://api.example:8443/", data=body)
    for name in ("Content-Type", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Target"):
        if name in sent:
            request.headers[name] = sent[name]
    request.context["timestamp"] = sent["X-Amz-Date"]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", secret), "ecr", "eu-west-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert ours.endswith(f"Signature={signer.signature(text, request)}")
    assert sent["X-Amz-Date"] == f"{at:%Y%m%dT%H%M%SZ}"
    assert sent.get("X-Amz-Security-Token") == token


def answer(status: int, body: bytes) -> HTTPAnswer:
    return HTTPAnswer(status, b"HTTP/1.1", b"", [], body, "length", False, True, False)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("ThrottlingException", 429, "TOOMANYREQUESTS"),
        ("com.amazon.coral.service#AccessDeniedException", 403, "DENIED"),
        ("ExpiredTokenException:http://internal.amazon.com/", 401, "UNAUTHORIZED"),
        ("RepositoryNotFoundException", 404, "NAME_UNKNOWN"),
        ("InvalidParameterException", 400, ""),
    ],
)
def test_a_refusal_by_400_and_a_name_is_told_by_its_status(
    name: str, status: int, code: str
) -> None:
    body = json.dumps({"__type": name, "message": "no"}).encode()

    told = told_by_status(answer(400, body))

    (error,) = json.loads(told.body)["errors"]
    assert (told.status, error["code"]) == (status, code)
    assert error["message"].endswith("Exception: no")


@given(
    st.sampled_from([200, 400, 500]),
    st.binary()
    | st.just(b'{"__type": 7}')
    | st.just(b'["__type"]')
    | st.just(b'{"a": {"__type": "x"}}'),
)
def test_other_answers_stay_what_they_are(status: int, body: bytes) -> None:
    assert told_by_status(answer(status, body)) == answer(status, body)
