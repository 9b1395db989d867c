"""Error bodies from strangers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.fake_clock import START
from weighbridge.domain.text.printable import printable
from weighbridge.net.http1.head import Fields
from weighbridge.registry.exchange.registry_request import (
    ORDINARY,
    Operation,
    RefusalWords,
    RegistryAnswer,
    RegistryRequest,
    find_refusal,
)
from weighbridge.registry.kinds.dockerhub.hub_registry import HUB_WORDS

ERRORS = st.fixed_dictionaries(
    {},
    optional={
        "code": st.text(max_size=8) | st.integers() | st.just("TOOMANYREQUESTS"),
        "message": st.text(max_size=300) | st.none(),
    },
)
BODIES = (
    st.binary(max_size=400)
    | st.text(max_size=400).map(str.encode)
    | st.lists(ERRORS, max_size=2).map(lambda e: json.dumps({"errors": e}).encode())
)


def a_question(operation: Operation = "tags") -> RegistryRequest:
    return RegistryRequest(
        operation, "https://registry.example/v2/a/tags/list", "", 1000
    )


def an_answer(status: int, content: bytes) -> RegistryAnswer:
    return RegistryAnswer(status, Fields(), content, True, False)


@given(st.sampled_from([400, 401, 403, 404, 429, 500, 302]), BODIES)
def test_any_error_body_gives_one_short_printable_line(
    status: int, content: bytes
) -> None:
    error = find_refusal(a_question(), an_answer(status, content), "anonymous", START)

    assert error is not None
    assert printable(error.message) == error.message
    assert len(error.message) < 256 + 64 + 100


@given(BODIES)
def test_any_good_body_is_good_or_gives_a_printable_error(content: bytes) -> None:
    error = find_refusal(a_question(), an_answer(200, content), "anonymous", START)

    assert error is None or printable(error.message) == error.message


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_token_servers_words_are_never_repeated(status: int) -> None:
    body = b'{"errors":[{"code":"UNKNOWN","message":"canary"}]} canary'

    error = find_refusal(
        a_question("token"), an_answer(status, body), "anonymous", START
    )

    assert error is None or "canary" not in error.message


@pytest.mark.parametrize("operation", ["tags", "catalog"])
def test_who_gave_a_wrong_password_is_named_and_not_told_to_give_one(
    operation: Operation,
) -> None:
    error = find_refusal(
        a_question(operation), an_answer(401, b""), "as user 'alice'", START
    )

    assert error is not None
    assert error.message.startswith("the registry refused user 'alice': ")
    assert error.hint.startswith("check the user name and password")
    assert "give `auth`" not in error.hint


def test_who_gave_no_password_is_told_where_to_give_it() -> None:
    error = find_refusal(a_question(), an_answer(401, b""), "anonymous", START)

    assert error is not None
    assert error.hint.startswith("give `auth` for it")


SPENT = b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your '
SPENT += b'pull rate limit. https://docker.example/limit"}]}'


@pytest.mark.parametrize(
    ("words", "can_be_repeated", "hint"),
    [(HUB_WORDS, False, "sign in with `auth`"), (ORDINARY, True, "set `limits`")],
)
def test_what_spends_a_quota_is_said_by_the_kind(
    words: RefusalWords, can_be_repeated: bool, hint: str
) -> None:
    answer = an_answer(429, SPENT)

    error = find_refusal(a_question(), answer, "anonymous", START, words)

    assert error is not None
    assert error.retryable is can_be_repeated
    assert hint in error.hint


LIMITING = RefusalWords(
    limits=("slow down",),
    limit_wait_s=60.0,
    sign_in="make a token",
    not_found="or it may be hidden",
)


@pytest.mark.parametrize(
    ("fields", "wait"),
    [
        ((), 60.0),
        (((b"retry-after", b"7"),), 7.0),
        (((b"x-ratelimit-remaining", b"0"), (b"x-ratelimit-reset", b"%d")), 30.0),
        (((b"x-ratelimit-remaining", b"9"), (b"x-ratelimit-reset", b"%d")), 60.0),
    ],
)
def test_a_403_may_be_a_limit_in_the_words_of_a_kind(
    fields: tuple[tuple[bytes, bytes], ...], wait: float
) -> None:
    at = int(START.timestamp()) + 30
    raw = [(k, v % at if b"%d" in v else v) for k, v in fields]
    body = b'{"message": "Please Slow Down a little"}'
    answer = RegistryAnswer(403, Fields(raw), body, True, False)

    error = find_refusal(a_question(), answer, "anonymous", START, LIMITING)
    denied = find_refusal(a_question(), answer, "anonymous", START)

    assert error is not None
    assert (error.code, error.retryable) == ("rate_limited", True)
    assert error.retry_after == pytest.approx(wait, abs=1)
    assert error.message.endswith("403: Please Slow Down a little")
    assert denied is not None
    assert denied.code == "denied"


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "make a token"), (403, "make a token"), (404, "or it may be hidden")],
)
def test_what_helps_is_said_by_the_kind(status: int, hint: str) -> None:
    answer = an_answer(status, b'{"message": "no"}')

    error = find_refusal(a_question(), answer, "anonymous", START, LIMITING)

    assert error is not None
    assert error.hint == hint


def test_what_an_api_says_is_shown_without_the_json_around_it() -> None:
    body = b'{"detail": "Requires  authentication", "title": "invalid_token"}'

    error = find_refusal(a_question(), an_answer(403, body), "anonymous", START)

    assert error is not None
    assert error.message.endswith("403: Requires authentication")
