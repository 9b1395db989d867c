"""Who knows a webhook's secret, and who only looks as if."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.webhook.sources.source_table import SOURCES
from weighbridge.domain.webhook.webhook_source import (
    SecretKey,
    ShownSecret,
    shown_digests,
)

SECRET: Final = "correct-horse-battery"
KEY: Final = SecretKey(SECRET)
BODY: Final = b'{"events":[]}'
NOW_S: Final = 1_767_323_045.0


def shown(
    headers: Mapping[str, str] | None = None,
    *,
    source: str = "harbor",
    path: str = "",
    query: str = "",
) -> ShownSecret:
    return ShownSecret(
        source, SOURCES[source].secret_ways, headers or {}, path, query, NOW_S
    )


def is_let_in(request: ShownSecret) -> bool:
    return KEY.is_shown(shown_digests(request))


def basic(password: str, user: str = "any") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def hex_of(algorithm: str, body: bytes = BODY, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


@pytest.mark.parametrize(
    "header",
    [
        SECRET,
        f"Bearer {SECRET}",
        f"bearer   {SECRET} ",
        basic(SECRET),
        basic(SECRET, user=""),
    ],
)
def test_the_secret_is_taken_in_each_form_of_authorization(header: str) -> None:
    assert is_let_in(shown({"authorization": header}))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {SECRET[:-1]}",
        f"Bearer {SECRET}x",
        f"Digest {SECRET}",
        SECRET.upper(),
        "Bearer éé",
        "Bearer \udce9\ud800",
        "Basic !!!",
        basic("", user=SECRET),
        basic(f"x:{SECRET}"),
        "Bearer " + "x" * 100_000,
        hashlib.sha256(SECRET.encode()).hexdigest(),
    ],
)
def test_webhook_002_nothing_else_is(header: str) -> None:
    assert not is_let_in(shown({"authorization": header}))


@pytest.mark.parametrize("source", ["dockerhub", "quay", "google", "acr"])
def test_the_path_is_taken_of_senders_that_have_nothing_better(source: str) -> None:
    assert is_let_in(shown(source=source, path=SECRET))
    assert is_let_in(shown(source=source, query=SECRET))


@pytest.mark.parametrize("source", ["harbor", "distribution", "ghcr", "nexus", "zot"])
def test_the_path_is_not_taken_of_others(source: str) -> None:
    assert not is_let_in(shown(source=source, path=SECRET, query=SECRET))


def test_artifactory_may_send_the_secret_or_sign_with_it() -> None:
    plain = {"x-jfrog-event-auth": SECRET}
    signed = shown({"x-jfrog-event-auth": hex_of("sha256")}, source="artifactory")

    assert is_let_in(shown(plain, source="artifactory"))
    assert not is_let_in(shown(plain, source="harbor"))
    assert KEY.has_signed(signed, BODY)
    assert not KEY.has_signed(signed, BODY + b" ")


def test_github_signs_the_body() -> None:
    signed = shown({"x-hub-signature-256": f"sha256={hex_of('sha256')}"}, source="ghcr")

    assert signed.is_signed
    assert KEY.has_signed(signed, BODY)
    assert not KEY.has_signed(signed, BODY[:-1])
    assert not SecretKey("another-secret-of-ours").has_signed(signed, BODY)


def test_nexus_signs_the_body_and_nobody_else_so_weakly() -> None:
    headers = {"x-nexus-webhook-signature": hex_of("sha1")}

    assert KEY.has_signed(shown(headers, source="nexus"), BODY)
    assert not KEY.has_signed(shown(headers, source="harbor"), BODY)
    assert not KEY.has_signed(shown(headers, source="nexus"), b"")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "sha256=",
        "sha1=" + "0" * 40,
        "sha256=" + "0" * 64,
        "sha256=" + "g" * 64,
        "sha256=é",
        hex_of("sha256"),
        "sha256=" + hex_of("sha256").upper(),
        "sha256=" + "a" * 100_000,
    ],
)
def test_a_wrong_signature_is_refused(header: str) -> None:
    assert not KEY.has_signed(shown({"x-hub-signature-256": header}), BODY)


def standard(
    sent_at: str = "1767323045", name: str = "m-1", secret: bytes = SECRET.encode()
) -> dict[str, str]:
    """The headers of standard-webhooks."""
    signed = f"{name}.{sent_at}.".encode() + BODY
    made = base64.b64encode(hmac.new(secret, signed, "sha256").digest()).decode()
    return {
        "webhook-id": name,
        "webhook-timestamp": sent_at,
        "webhook-signature": f"v1,{made}",
    }


def test_a_standard_signature_is_over_id_time_and_body() -> None:
    headers = standard()

    assert KEY.has_signed(shown(headers), BODY)
    assert not KEY.has_signed(shown(headers), BODY + b" ")
    assert not KEY.has_signed(shown({**headers, "webhook-id": "m-2"}), BODY)


def test_one_of_several_standard_signatures_is_enough() -> None:
    headers = standard()
    several = f"v1a,x v1,{'A' * 44} {headers['webhook-signature']}"

    assert KEY.has_signed(shown({**headers, "webhook-signature": several}), BODY)


def test_a_standard_secret_is_the_bytes_behind_its_prefix() -> None:
    raw = bytes(range(32))
    key = SecretKey("whsec_" + base64.b64encode(raw).decode())

    assert key.has_signed(shown(standard(secret=raw)), BODY)


@pytest.mark.parametrize(
    "header",
    ["v1", "v1,", "v1,!!!", "v1,a,b", "v1," + "A" * 44, "", ",", " " * 50],
)
def test_webhook_003_a_malformed_signature_is_refused(header: str) -> None:
    headers = {**standard(), "webhook-signature": header}

    assert not KEY.has_signed(shown(headers), BODY)


def test_webhook_003_ten_thousand_signatures_are_not_looked_at() -> None:
    headers = standard()
    many = " ".join([headers["webhook-signature"]] * 10_000)
    a_few = " ".join([headers["webhook-signature"]] * 9)

    for text in (many, a_few):
        assert not KEY.has_signed(shown({**headers, "webhook-signature": text}), BODY)


@pytest.mark.parametrize(
    ("sent_at", "is_taken"),
    [
        ("1767323045", True),
        ("1767322745", True),
        ("1767323345", True),
        ("1767322744", False),
        ("1767323346", False),
        ("1767322445", False),
        ("1767323645", False),
        ("NaN", False),
        ("1e308", False),
        ("-1767323045", False),
        ("1767323045.0", False),
        ("\u0661767323045", False),
        ("9" * 400, False),
        ("", False),
    ],
)
def test_webhook_004_what_was_signed_more_than_five_minutes_away_is_a_replay(
    sent_at: str, is_taken: bool
) -> None:
    assert KEY.has_signed(shown(standard(sent_at)), BODY) is is_taken


TEXTS: Final = st.text(max_size=40) | st.sampled_from(
    ["Bearer", "Basic eDp5", "sha256=" + "0" * 64, "v1,AAAA", "0" * 40, "1767323045"]
)


@given(
    headers=st.dictionaries(
        st.sampled_from(
            [
                "authorization",
                "x-hub-signature-256",
                "x-nexus-webhook-signature",
                "x-jfrog-event-auth",
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
            ]
        ),
        TEXTS,
    ),
    source=st.sampled_from(["harbor", "nexus", "artifactory", "acr"]),
    path=TEXTS,
    body=st.binary(max_size=20),
)
def test_whatever_is_shown_is_refused_and_nothing_is_raised(
    headers: dict[str, str], source: str, path: str, body: bytes
) -> None:
    request = shown(headers, source=source, path=path, query=path)

    assert not is_let_in(request)
    assert not KEY.has_signed(request, body)
