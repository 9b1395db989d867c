"""Where a credential may go, and where it never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.registry_client import OWNER, an_endpoint
from weighbridge.errors import AuthError
from weighbridge.net.guard.addresses import Reach
from weighbridge.registry.auth.token_server import allowed_realm
from weighbridge.registry.exchange.endpoint import Endpoint

OWN = an_endpoint(credential=OWNER)


def trusting(*hosts: str) -> Endpoint:
    return an_endpoint(credential=OWNER, trusted_realm_hosts=frozenset(hosts))


@pytest.mark.parametrize(
    "realm",
    [
        pytest.param("http://169.254.169.254/computeMetadata/", id="registry_auth-001"),
        pytest.param("http://127.0.0.1:4711/token", id="registry_auth-002"),
        pytest.param("https://127.0.0.1:4711/token", id="registry_auth-002 https"),
        pytest.param("https://evil.example.org/token", id="registry_auth-003"),
        pytest.param("https://[fd00:ec2::254]/token", id="registry_auth-004"),
        pytest.param("ftp://registry.example/token", id="registry_auth-006"),
        pytest.param("//evil.example.org/token", id="registry_auth-008"),
        pytest.param("http://registry.example/token", id="https to http"),
        pytest.param("https://registry.example:8443/t", id="own host, other port"),
        pytest.param("https://auth.registry.example/t", id="below the own host"),
        pytest.param("https://other.example/token", id="shared parent domain"),
        pytest.param("https://registry.example@evil.example/", id="user name"),
        pytest.param("https://evil.example\\@registry.example/", id="backslash"),
        pytest.param("https://registry.example:0/", id="port 0"),
        pytest.param("https://registry.example:99999/", id="port beyond"),
        pytest.param("https:///token", id="no host"),
        pytest.param("https://localhost/token", id="localhost"),
        pytest.param("https://2130706433/token", id="odd spelling of loopback"),
        pytest.param("https://auth.docker.io/token", id="the pair of another"),
        pytest.param("", id="empty"),
        pytest.param("https://registry.example/ü", id="not ASCII"),
    ],
)
def test_a_credential_goes_to_no_other_realm(realm: str) -> None:
    with pytest.raises(AuthError) as refused:
        allowed_realm(realm, OWN)

    assert refused.value.code == "realm_refused"
    assert "trusted_realm_hosts" in refused.value.hint


def test_the_refused_host_is_named_with_its_port() -> None:
    with pytest.raises(AuthError) as refused:
        allowed_realm("https://auth.corp.example:8443/token?key=canary", OWN)

    assert "auth.corp.example:8443" in refused.value.message
    assert "'auth.corp.example:8443'" in refused.value.hint
    assert "canary" not in refused.value.message


@pytest.mark.parametrize(
    ("url", "realm"),
    [
        pytest.param(
            "https://registry-1.docker.io",
            "https://auth.docker.io/token",
            id="registry_auth-011 Docker Hub",
        ),
        pytest.param(
            "https://registry.gitlab.com", "https://gitlab.com/jwt/auth", id="GitLab"
        ),
        pytest.param(
            "http://127.0.0.1:5000",
            "http://127.0.0.1:5000/auth",
            id="registry_auth-012 same address",
        ),
        pytest.param(
            "https://registry.example", "https://registry.example:443/t", id="own host"
        ),
    ],
)
def test_a_credential_goes_to_the_registry_and_its_known_pair(
    url: str, realm: str
) -> None:
    allowed = allowed_realm(realm, an_endpoint(url=url, credential=OWNER))

    assert allowed.with_credential
    assert str(allowed.url).startswith(realm[:20])


@pytest.mark.parametrize(
    ("trusted", "realm"),
    [
        ("auth.corp.example", "https://auth.corp.example/token"),
        ("auth.corp.example", "https://auth.corp.example:8443/token"),
        ("auth.corp.example:8443", "https://auth.corp.example:8443/token"),
        ("10.1.2.3:8443", "https://10.1.2.3:8443/token"),
        ("[::1]:8443", "https://[::1]:8443/token"),
    ],
)
def test_a_host_that_the_operator_names_is_trusted(trusted: str, realm: str) -> None:
    allowed = allowed_realm(realm, trusting(trusted))

    assert allowed.with_credential
    assert allowed.ceiling is Reach.LOOPBACK


@pytest.mark.parametrize(
    ("trusted", "realm"),
    [
        ("auth.corp.example:8443", "https://auth.corp.example/token"),
        ("127.0.0.1", "https://127.0.0.1:8443/token"),
        ("localhost", "https://localhost:8443/token"),
        ("127.0.0.1:8443", "https://127.0.0.1:8444/token"),
        ("auth.corp.example", "http://auth.corp.example/token"),
    ],
)
def test_trust_is_for_the_named_address_and_never_without_tls(
    trusted: str, realm: str
) -> None:
    with pytest.raises(AuthError) as refused:
        allowed_realm(realm, trusting(trusted))

    assert refused.value.code == "realm_refused"


def test_an_anonymous_token_may_come_from_any_public_https_realm() -> None:
    allowed = allowed_realm("https://tokens.example.org/t", an_endpoint())

    assert not allowed.with_credential
    assert allowed.ceiling is Reach.PUBLIC


@pytest.mark.parametrize(
    "realm",
    ["https://127.0.0.1:9/t", "https://10.0.0.1/t", "http://tokens.example.org/t"],
)
def test_an_anonymous_token_comes_from_no_literal_and_not_in_clear(realm: str) -> None:
    endpoint = an_endpoint(url="http://registry.local:5000", ceiling=Reach.PRIVATE)

    with pytest.raises(AuthError) as refused:
        allowed_realm(realm, endpoint)

    assert refused.value.code == "realm_refused"


@given(st.text() | st.text("htps:/.@[]\\?#%0123456789abcdef", max_size=60))
def test_any_realm_is_allowed_or_refused(realm: str) -> None:
    try:
        result = allowed_realm(realm, OWN).url.host
    except AuthError as error:
        result = error.code

    assert result in ("registry.example", "realm_refused")


BELOW = replace(
    OWN, url="https://registry.example/a", others=frozenset({"/b", "/a/inner"})
)


def test_a_realm_below_the_prefix_gets_the_credential() -> None:
    realm = allowed_realm("https://registry.example/a/v2/token?x=1", BELOW)

    assert realm.with_credential


@pytest.mark.parametrize("path", ["/token", "/a/../token", "/ab/token"])
def test_a_realm_that_leaves_the_prefix_needs_to_be_trusted(path: str) -> None:
    trusting_host = frozenset({"registry.example"})
    url = f"https://registry.example{path}"

    with pytest.raises(AuthError) as refused:
        allowed_realm(url, BELOW)
    named = allowed_realm(url, replace(BELOW, trusted_realm_hosts=trusting_host))

    assert refused.value.code == "realm_refused"
    assert "trusted_realm_hosts" in refused.value.hint
    assert named.with_credential


@pytest.mark.parametrize(
    "path",
    [
        "/b/v2/token",
        "/a/inner/v2/token",
        "/a/../b/token",
        "/x/%2e%2e/b/token",
        "/x%2f..%2fb/token",
        "/a/%2e%2e/b/token",
    ],
)
def test_a_realm_of_another_entry_is_refused_even_where_its_host_is_trusted(
    path: str,
) -> None:
    trusted = replace(BELOW, trusted_realm_hosts=frozenset({"registry.example"}))

    with pytest.raises(AuthError) as refused:
        allowed_realm(f"https://registry.example{path}", trusted)

    assert "another registry of this host" in refused.value.message


def test_nobody_is_shown_to_a_realm_beside_the_prefix() -> None:
    realm = allowed_realm(
        "https://registry.example/token", replace(BELOW, credential=None)
    )

    assert not realm.with_credential
