"""The headers of a sign-in proxy: what they say, and what is refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.access.principal import Principal
from weighbridge.domain.access.sign_in import (
    HEADER_BYTES,
    SignInProxy,
    checked_header,
    claims_to_be_signed_in,
    signed_in,
)
from weighbridge.errors import UsageError

PROXY = SignInProxy("x-user", "x-groups", frozenset({"ops", "platform admins"}))
TEAMS = frozenset({"shop", "web", "team with blanks"})


def find(*headers: tuple[str, str]) -> Principal | None:
    pairs = [(name.encode(), value.encode()) for name, value in headers]
    return signed_in(PROXY, pairs, TEAMS)


@pytest.mark.parametrize(
    ("groups", "role", "teams"),
    [
        ("shop", "read", {"shop"}),
        ("shop,web", "read", {"shop", "web"}),
        (" shop ,\tweb,", "read", {"shop", "web"}),
        ("team with blanks", "read", {"team with blanks"}),
        ("everyone", "read", set()),
        ("", "read", set()),
        ("SHOP,shop2,sho", "read", set()),
        ("*", "read", set()),
        ("shop,ops", "admin", None),
        ("platform admins", "admin", None),
        ("Ops,op,ops2", "read", set()),
        ("platform, admins", "read", set()),
    ],
)
def test_groups_are_teams_by_their_exact_names(
    groups: str, role: str, teams: set[str] | None
) -> None:
    found = find(("x-user", "alice@example.org"), ("x-groups", groups))

    expected = None if teams is None else frozenset(teams)
    assert found == Principal("user:alice@example.org", role, expected)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("x-groups", "ops"),),
        (("x-user", ""), ("x-groups", "ops")),
        (("x-user", " \t "), ("x-groups", "ops")),
        (("x_user", "alice"), ("x-groups", "ops")),
        (("x-users", "alice"), ("x-groups", "ops")),
    ],
)
def test_without_a_name_nobody_signed_in(headers: tuple[tuple[str, str], ...]) -> None:
    assert find(*headers) is None


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ((("x-user", "alice"), ("x-user", "alice")), "x-user is there twice"),
        ((("x-user", "a"), ("X-User", "b")), "x-user is there twice"),
        (
            (("x-user", "a"), ("x-groups", "shop"), ("x-groups", "ops")),
            "x-groups is there twice",
        ),
        ((("x-user", "alice, bob"),), "not the name of one person"),
        ((("x-user", "a" * 257),), "not the name of one person"),
        ((("x-user", "a" * (HEADER_BYTES + 1)),), "x-user has more than"),
        ((("x-user", "a"), ("x-groups", "g" * (HEADER_BYTES + 1))), "more than"),
        ((("x-user", "a\x00b"),), "unprintable"),
        ((("x-user", "a\nb"),), "unprintable"),
        ((("x-user", "a"), ("x-groups", "shop\x7f")), "unprintable"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(
    headers: tuple[tuple[str, str], ...], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        find(*headers)


@pytest.mark.parametrize(
    "name", ["al\u200bice", "\u202eecila", "\u00a0", "alice\u3000"]
)
def test_a_name_that_looks_like_another_one_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="unprintable"):
        find(("x-user", name), ("x-groups", "ops"))


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        signed_in(PROXY, [(b"x-user", b"\xff")], TEAMS)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"x-user", b"X-User", b"x-groups", b"x-other"]),
            st.binary(max_size=40)
            | st.sampled_from([b"ops", b"shop,web", b"alice", b"ops,", b" ops"]),
        ),
        max_size=4,
    )
)
def test_any_headers_are_a_person_or_nobody_or_refused(
    headers: list[tuple[bytes, bytes]],
) -> None:
    names = [name.lower() for name, _ in headers]
    found = None

    with suppress(UsageError):
        found = signed_in(PROXY, headers, TEAMS)

    if found is None:
        return
    groups = b",".join(value for name, value in headers if name.lower() == b"x-groups")
    assert names.count(b"x-user") == 1
    assert claims_to_be_signed_in(PROXY, headers)
    assert found.name.startswith("user:")
    if found.role == "admin":
        assert b"ops" in groups
    else:
        assert found.teams is not None
        assert found.teams <= TEAMS
        assert all(team.encode() in groups for team in found.teams)


@pytest.mark.parametrize("name", ["X-User", "Remote-Email", "x-auth-request-groups"])
def test_a_header_of_its_own_may_say_who_it_is(name: str) -> None:
    assert checked_header(name) == name.lower()


@pytest.mark.parametrize(
    "name",
    ["", "X User", "Authorization", "HOST", "X-Forwarded-For", "é", "a:b"],
)
def test_a_header_that_says_something_else_is_not_taken(name: str) -> None:
    with pytest.raises(UsageError):
        checked_header(name)
