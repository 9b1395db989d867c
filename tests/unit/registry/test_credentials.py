"""Who we are, and how that is written into a header."""

import base64

import pytest

from weighbridge.domain.text.printable import Secret
from weighbridge.errors import UsageError
from weighbridge.registry.login.credentials import Credential, bearer


def test_basic_is_utf_8_and_keeps_colons_in_the_password() -> None:
    header = Credential("änn", Secret("a:b:ü")).basic().reveal()

    scheme, _, pair = header.partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(pair).decode() == "änn:a:b:ü"


def test_a_token_is_sent_as_bearer() -> None:
    assert bearer(Secret("abc")).reveal() == "Bearer abc"


@pytest.mark.parametrize(
    ("username", "password", "token"),
    [
        ("ann", None, None),
        ("ann", Secret("a"), Secret("t")),
        ("an:n", Secret("a"), None),
        ("ann\n", Secret("a"), None),
        ("", None, Secret("")),
        ("", None, Secret("canary\r\nX-Evil: 1")),
        ("", None, Secret("canary ü")),
        ("ann", Secret("canary\ud800"), None),
    ],
)
def test_what_cannot_be_sent_is_refused_and_not_quoted(
    username: str, password: Secret | None, token: Secret | None
) -> None:
    with pytest.raises(UsageError) as refused:
        Credential(username, password, token)

    assert refused.value.code == "invalid_credential"
    assert "canary" not in refused.value.message


def test_a_credential_prints_who_it_is_and_no_secret() -> None:
    user = Credential("ann", Secret("canary"))
    token = Credential(token=Secret("canary"))

    assert str(user) == "user 'ann'"
    assert str(token) == "the configured token"
    assert "canary" not in repr(user) + repr(token) + repr(user.basic())
