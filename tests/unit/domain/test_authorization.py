"""The header by which a client shows its token."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.access.roles import could_be_token, new_secret, presented_token

TOKEN = new_secret("read", bytes(range(32))).reveal()


def basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {TOKEN}",
        f"bearer  {TOKEN} ",
        basic(f"anybody:{TOKEN}"),
        basic(f":{TOKEN}"),
        basic(f"Zoë:{TOKEN}"),
        basic(f"x:{TOKEN}").replace("Basic", "BASIC"),
    ],
)
def test_a_token_is_found(header: str) -> None:
    assert presented_token(header) == TOKEN


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Token {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN}\n",
        "Bearer " + "a" * 5000,
        f"Basic {TOKEN}",
        basic(TOKEN),
        basic(f"{TOKEN}:"),
        basic(f"a:b:{TOKEN}"),
        basic(f"x:{TOKEN}") + "=",
        "Basic é",
    ],
)
def test_everything_else_shows_no_token(header: str) -> None:
    assert presented_token(header) is None


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_header_gives_a_token_or_none(text: str) -> None:
    for header in (text, f"Bearer {text}", f"Basic {text}"):
        found = presented_token(header)

        assert found is None or could_be_token(found)


@given(st.binary(max_size=200))
def test_any_pair_of_basic_gives_a_token_or_none(raw: bytes) -> None:
    found = presented_token(f"Basic {base64.b64encode(raw).decode()}")

    assert found is None or could_be_token(found)
