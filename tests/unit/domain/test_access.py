"""Tokens and what their roles grant."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.access.roles import (
    AccessToken,
    checked_name,
    checked_role,
    could_be_token,
    digest_of,
    grants,
    new_secret,
)
from weighbridge.domain.webhook.sources.source_table import SOURCE_NAMES
from weighbridge.errors import UsageError

NOW = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("role", "prefix"),
    [
        ("read", "wbr_"),
        ("admin", "wba_"),
        ("metrics", "wbm_"),
        ("webhook:harbor", "whsec_"),
    ],
)
def test_the_prefix_tells_the_role(role: str, prefix: str) -> None:
    secret = new_secret(role, bytes(range(32)))

    assert secret.reveal().startswith(prefix)
    assert could_be_token(secret.reveal())
    assert str(secret) == "<redacted>"


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_all_of_the_random_bytes_are_in_the_token(one: bytes, other: bytes) -> None:
    texts = {new_secret("read", random).reveal() for random in (one, other)}

    assert len(texts) == len({one, other})
    assert all(map(could_be_token, texts))
    assert len({digest_of(text) for text in texts}) == len(texts)


def test_fewer_random_bytes_make_no_token() -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        new_secret("read", b"short")


@pytest.mark.parametrize(
    ("role", "granted"),
    [
        ("read", {"read"}),
        ("metrics", {"metrics"}),
        ("admin", {"read", "metrics", "admin"}),
        ("webhook:harbor", {"webhook:harbor"}),
    ],
)
def test_a_role_grants_itself_and_admin_the_two_that_read(
    role: str, granted: set[str]
) -> None:
    needed = ("none", "read", "metrics", "admin", "webhook:harbor", "webhook:quay", "")

    assert {each for each in needed if grants(role, each)} == granted


@pytest.mark.parametrize("source", SOURCE_NAMES)
def test_every_source_of_webhooks_has_a_role(source: str) -> None:
    assert checked_role(f"webhook:{source}") == f"webhook:{source}"


@pytest.mark.parametrize(
    "text", ["", "none", "Read", "read ", "webhook", "webhook:", "webhook:*", "harbor"]
)
def test_what_is_no_role_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        checked_role(text)

    assert refused.value.code == "invalid_role"


@pytest.mark.parametrize("text", ["prometheus", "read-1", "webhook:harbor-2", "a" * 63])
def test_a_name_is_taken(text: str) -> None:
    assert checked_name(text) == text


@pytest.mark.parametrize("text", ["", "1", "12", "a b", "a\n", "-a", "é", "a" * 64])
def test_a_name_that_could_be_an_id_or_an_option_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        checked_name(text)

    assert refused.value.code == "invalid_token_name"


def test_a_token_is_valid_until_the_moment_at_which_it_expires() -> None:
    token = AccessToken(1, "read-1", "read", NOW, expires_at=NOW + timedelta(days=1))

    assert token.state(NOW + timedelta(days=1, microseconds=-1)) == "valid"
    assert token.state(NOW + timedelta(days=1)) == "expired"


def test_a_revoked_token_is_revoked_even_after_it_expired() -> None:
    token = AccessToken(1, "read-1", "read", NOW, expires_at=NOW, revoked_at=NOW)

    assert token.state(NOW) == "revoked"
