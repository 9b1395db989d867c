"""The answers of token servers."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError
from weighbridge.registry.auth.token_server import parse_token

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def body(**members: object) -> bytes:
    return json.dumps(members).encode()


@pytest.mark.parametrize("member", ["token", "access_token"])
def test_a_token_has_either_name(member: str) -> None:
    token = parse_token(body(**{member: "abc.def"}), NOW)

    assert token.text == Secret("abc.def")


@pytest.mark.parametrize(
    ("expires_in", "lasts_s"),
    [
        (None, 54.0),
        (300, 270.0),
        (2, 54.0),
        (0, 54.0),
        (-1, 54.0),
        (10**12, 3240.0),
        (299.5, 269.55),
        ("300", 54.0),
        (True, 54.0),
    ],
)
def test_a_token_is_renewed_early_and_lives_a_minute_to_an_hour(
    expires_in: object, lasts_s: float
) -> None:
    token = parse_token(body(token="t", expires_in=expires_in), NOW)

    assert token.lasts_s == pytest.approx(lasts_s)


@pytest.mark.parametrize(
    ("issued_at", "lasts_s"),
    [
        ((NOW - timedelta(seconds=30)).isoformat(), 240.0),
        ("2026-03-01T11:59:50Z", 260.0),
        ((NOW - timedelta(hours=2)).isoformat(), 270.0),
        ((NOW + timedelta(hours=2)).isoformat(), 270.0),
        ("2026-03-01T12:00:00", 270.0),
        ("yesterday", 270.0),
        (1772366400, 270.0),
    ],
)
def test_its_age_counts_unless_the_clocks_differ(
    issued_at: object, lasts_s: float
) -> None:
    token = parse_token(body(token="t", expires_in=300, issued_at=issued_at), NOW)

    assert token.lasts_s == pytest.approx(lasts_s)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(body(expires_in=60), id="registry_auth-019 no token"),
        pytest.param(b"canary", id="registry_auth-019 not JSON"),
        pytest.param(
            body(token="canary" * 20_000), id="registry_auth-019 longer than 64 KiB"
        ),
        pytest.param(body(token="canary\r\nX-Evil: 1"), id="registry_auth-020 CR LF"),
        pytest.param(body(token="canary-ü"), id="registry_auth-020 not ASCII"),
        pytest.param(body(token="canary canary"), id="registry_auth-020 blank"),
        pytest.param(body(token=17), id="number"),
        pytest.param(body(token=""), id="empty"),
        pytest.param(b'["canary"]', id="list"),
    ],
)
def test_an_unusable_answer_is_refused_and_not_quoted(answer: bytes) -> None:
    with pytest.raises(AuthError) as refused:
        parse_token(answer, NOW)

    assert refused.value.code == "auth_error"
    assert "canary" not in refused.value.message
    assert refused.value.__cause__ is None


@given(st.binary() | st.dictionaries(st.text(), st.text()).map(lambda d: body(**d)))
def test_any_bytes_give_a_token_or_our_error(answer: bytes) -> None:
    try:
        result: float | str = parse_token(answer, NOW).lasts_s
    except AuthError as error:
        result = error.code

    assert result == "auth_error" or isinstance(result, float)
