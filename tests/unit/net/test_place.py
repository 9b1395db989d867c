"""What is a registry's own of a host that several share, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.net.guard.addresses import address_of
from weighbridge.net.guard.place import Place, is_ambiguous

HOST = "https://host.example"
ORIGIN = ("https", "host.example", 443)
OTHERS = frozenset({"/b", "/a/inner"})
BELOW = Place(ORIGIN, "/a", OTHERS)
ROOT = Place(ORIGIN, "", OTHERS)


@pytest.mark.parametrize(
    "path", ["/a/v2/", "/a/v2/shop/app/blobs/sha256:00", "/a/v2/x?to=/../b", "/a"]
)
def test_what_begins_with_the_prefix_is_its_own(path: str) -> None:
    assert BELOW.holds(address_of(f"{HOST}{path}"))


OUTSIDE = [
    pytest.param("/b/v2/", id="another entry"),
    pytest.param("/a/inner/v2/", id="another entry, below it"),
    pytest.param("/v2/", id="the root"),
    pytest.param("/ab/v2/", id="the same beginning"),
    pytest.param("/A/v2/", id="capitals"),
    pytest.param("/a/%2e%2e/b/v2/", id="escaped dots"),
    pytest.param("/a/.%2E/b/v2/", id="half escaped dots"),
    pytest.param("/a/%252e%252e/b/v2/", id="escaped twice"),
    pytest.param("/a/%25252e%25252e/b/v2/", id="escaped thrice"),
    pytest.param("/a%2f..%2fb/v2/", id="escaped slash"),
    pytest.param("/a/..%5cb/v2/", id="escaped backslash"),
    pytest.param("/a/..;/b/v2/", id="path parameter"),
    pytest.param("/a/;x=/v2/", id="path parameter of an empty part"),
    pytest.param("/a//b/v2/", id="empty part"),
    pytest.param("//b/v2/", id="empty part at the beginning"),
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_what_leaves_the_prefix_is_not_its_own(path: str) -> None:
    assert not BELOW.holds_path(path.encode())


def test_dots_that_climb_are_resolved_before_they_are_judged() -> None:
    assert not BELOW.holds(address_of(f"{HOST}/a/../b/v2/"))


@pytest.mark.parametrize("path", ["/b/v2/", "/a/inner/v2/", "/x/%2e%2e/b/v2/"])
def test_the_root_of_a_host_ends_where_another_entry_begins(path: str) -> None:
    assert not ROOT.holds_path(path.encode())
    assert ROOT.holds_path(b"/v2/shop/app/tags/list")


def test_a_registry_alone_at_its_host_owns_all_of_it() -> None:
    assert Place(ORIGIN).holds(address_of(f"{HOST}/x/..;/y"))


@pytest.mark.parametrize(
    "url", ["http://host.example/a/v2/", "https://x.example/a/v2/"]
)
def test_another_origin_is_never_its_own(url: str) -> None:
    assert not BELOW.holds(address_of(url))


def test_only_places_with_a_prefix_are_known_to_be_of_another() -> None:
    assert BELOW.is_of_another(b"/b/v2/token")
    assert not BELOW.is_of_another(b"/token")
    assert not BELOW.is_of_another(b"/a/token")


@pytest.mark.parametrize("path", [b"/x/%2e%2e/b/token", b"/x%2f..%2fb/t", b"/..;/b/t"])
def test_what_a_server_may_take_for_the_place_of_another_counts_as_such(
    path: bytes,
) -> None:
    assert BELOW.is_of_another(path)
    assert ROOT.is_of_another(path)
    assert not Place(ORIGIN, "/a").is_of_another(path)


@given(st.text("/.ab%2fFeE5cC;\\", max_size=30))
def test_any_path_that_is_its_own_stays_below_it(path: str) -> None:
    target = f"/a/{path}"

    if BELOW.holds_path(target.encode()):
        parts = target.split("/")
        assert ".." not in parts
        assert not target.startswith(("/a/inner/", "/b/"))
        assert not is_ambiguous(target)


@given(st.binary(max_size=40))
def test_any_bytes_are_judged(target: bytes) -> None:
    assert BELOW.holds_path(target) in (True, False)
