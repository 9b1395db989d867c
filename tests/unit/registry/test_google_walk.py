"""Which names of Google's registries are looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.text.globs import Patterns, matches
from weighbridge.errors import DocumentError, ListingError, NotFound, RegistryError
from weighbridge.registry.kinds.google.google_kind import google_roots
from weighbridge.registry.kinds.google.google_listing import GoogleFolder
from weighbridge.registry.kinds.google.google_walk import GoogleWalk, LookedAt

IMAGE = GoogleFolder((), 0, has_images=True)
EMPTY = GoogleFolder((), 0, has_images=False)


def a_walk(*roots: str, **patterns: tuple[str, ...]) -> GoogleWalk:
    return GoogleWalk(LookedAt(Patterns(**patterns)), roots)


@pytest.mark.parametrize(
    ("name", "is_looked_at"),
    [
        ("acme", True),
        ("acme/images", True),
        ("acme/images/team-a", True),
        ("acme/images/team-a/api", True),
        ("acme/images/other", False),
        ("acme/image", False),
        ("acme/images/team-x", False),
        ("acme/images/team-x/api", False),
    ],
)
def test_a_name_is_looked_at_where_it_may_lead_to_a_wanted_one(
    name: str, is_looked_at: bool
) -> None:
    wanted = Patterns(("acme/images/team-*",), ("acme/images/team-x*",))

    assert LookedAt(wanted)(name) is is_looked_at


NAMES = st.lists(st.sampled_from(["a", "ab", "b"]), min_size=1, max_size=4).map(
    "/".join
)
PATTERN = st.lists(
    st.sampled_from(["a", "b", "*", "/", "a/", "ab"]), min_size=1, max_size=6
).map("".join)


@given(NAMES, st.lists(PATTERN, min_size=1, max_size=3), st.lists(PATTERN, max_size=2))
def test_what_is_wanted_below_a_root_is_always_reached(
    name: str, include: list[str], exclude: list[str]
) -> None:
    """Every name from the root on is looked at, down to one that is wanted."""
    wanted = Patterns(tuple(include), tuple(exclude))
    is_looked_at = LookedAt(wanted)
    if not matches(wanted, name):
        return
    globs = [pattern for pattern in include if "*" in pattern]
    for root in google_roots(globs):
        if not f"{name}/".startswith(f"{root}/"):
            continue
        if not any(matches(Patterns((glob,)), name) for glob in globs):
            continue  # one that is asked for by its whole name
        below = name[len(root) :].strip("/").split("/")
        steps = [
            "/".join([root, *below[:n]]).rstrip("/") for n in range(len(below) + 1)
        ]
        assert all(map(is_looked_at, steps))


def test_each_name_is_looked_at_once_and_told_where_it_holds_images() -> None:
    walk = a_walk("acme", "acme/images", include=("acme/*",))
    assert walk.take(8) == ["acme", "acme/images"]

    walk.note("acme", GoogleFolder(("acme/images", "acme/tools"), 1, has_images=False))
    walk.note("acme/images", IMAGE)

    assert walk.take(8) == ["acme/tools"]
    found = walk.listing()
    assert (found.names, found.invalid) == (("acme/images",), 1)


@pytest.mark.parametrize("found", [IMAGE, EMPTY, NotFound("gone")])
def test_what_the_name_above_shows_is_left_to_its_own_crawl(
    found: GoogleFolder | NotFound,
) -> None:
    walk = a_walk("acme", include=("acme/*",))
    walk.take(1)
    walk.note("acme", GoogleFolder(("acme/images",), 0, has_images=False))

    walk.note("acme/images", found)

    assert walk.listing().names == ("acme/images",)
    assert walk.failed is None


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (EMPTY, ListingError),
        (NotFound("gone"), NotFound),
        (DocumentError("unreadable"), DocumentError),
        (RegistryError("broken"), RegistryError),
    ],
)
def test_a_root_that_cannot_be_looked_at_is_no_empty_one(
    found: GoogleFolder | Exception, error: type[Exception]
) -> None:
    walk = a_walk("acme", include=("acme/*",))
    walk.take(1)

    walk.note("acme", found)

    assert isinstance(walk.failed, error)
    assert walk.listing().names == ()
