"""Artifact Registry's API beside its registry: where repositories are found."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from support.google_replica.serving import (
    crawl_google,
    google_replica,
    google_settings,
)
from support.google_replica.state import ACCESS_TOKEN, Google
from support.platform_content import MANIFESTS_PER_INDEX, platform_content
from support.replica.stored import counted
from support.vendor_hosts import Reply
from weighbridge.config import Settings
from weighbridge.demo.content.stored_documents import (
    ImageRecipe,
    Push,
    RecipeStep,
    Shelf,
)

CART: Final = "acme/images/shop/cart"
NAMES: Final = (
    "acme/images/cart",
    "acme/images/shop/say",
    "acme/images/shop/web",
    "acme/tools/lint",
    "acme.example/web/front/page",
)


@pytest.fixture
def google() -> Iterator[Google]:
    """An image each; nothing that the real one forbids may have been asked."""
    image = ImageRecipe((RecipeStep("2026-01-05T08:00:00Z", "ADD . /", 80_000, 1_024),))
    content = Shelf(Push(name, ("1",), image) for name in NAMES)
    with google_replica(Google(content)) as served:
        yield served
    assert served.violations == []


@pytest.fixture
def settings(tmp_path: Path, google: Google, database_url: str) -> Settings:
    return google_settings(tmp_path, google, database_url, has_api=True)


def test_a_thousand_tags_found_by_the_api(tmp_path: Path, database_url: str) -> None:
    """The table of docs/registries.md: `pytest -s -k thousand` prints it."""
    with google_replica(Google(platform_content(CART))) as google:
        settings = google_settings(tmp_path, google, database_url, has_api=True)
        crawl_google(settings)
        google.take_counts()

        done = crawl_google(settings)

        spent = google.take_counts()
        print(spent)
    # The repositories of the project, and the images of the one that there is.
    assert spent == {"api": 2, "401": 1, "token": 1, "tags": 1}
    assert (done.state, done.tags, google.violations) == ("ok", 1_000, [])


def test_all_repositories_of_a_project_are_found(
    google: Google, settings: Settings, database_url: str
) -> None:
    done = crawl_google(settings)

    assert done.faults == ()
    assert counted(database_url).keys() == set(NAMES[:4])
    assert google.take_counts()["api"] == 1 + 2


def test_pages_are_read_to_the_last(google: Google, settings: Settings) -> None:
    google.api_page = 1

    assert crawl_google(settings).repositories == 4
    # Four repositories, of which two are of images; three images and one.
    assert google.take_counts()["api"] == 4 + 3 + 1


@pytest.mark.parametrize(
    ("include", "names"),
    [
        (["acme/images/*"], NAMES[:3]),
        (["acme/images/shop/*"], NAMES[1:3]),
        (["acme/images/shop/*", "acme/images/ca*"], NAMES[:3]),
        (["acme.example/web/front/*"], NAMES[4:]),
    ],
)
def test_one_repository_is_one_question(
    google: Google,
    tmp_path: Path,
    database_url: str,
    include: list[str],
    names: tuple[str, ...],
) -> None:
    settings = google_settings(
        tmp_path, google, database_url, include=include, has_api=True
    )

    done = crawl_google(settings)

    assert done.faults == ()
    assert counted(database_url).keys() == set(names)
    assert google.take_counts()["api"] == 1


def test_a_repository_that_holds_nothing_keeps_nobody_from_the_others(
    google: Google, settings: Settings, database_url: str
) -> None:
    def edit(body: dict[str, Any]) -> None:
        name = str(body.get("packages", [{}])[0].get("name"))
        if "/tools/" in name:
            body.clear()

    google.api_edit = edit
    done = crawl_google(settings)

    assert done.faults == ()
    assert counted(database_url).keys() == set(NAMES[:3])


def test_an_access_token_is_shown_to_the_api_too(
    google: Google, tmp_path: Path, database_url: str
) -> None:
    auth = {"username": "oauth2accesstoken", "password": ACCESS_TOKEN}
    settings = google_settings(tmp_path, google, database_url, auth=auth, has_api=True)

    assert crawl_google(settings).repositories == 4
    assert google.take_counts()["api"] == 3


@pytest.mark.parametrize("status", [401, 403, 404])
def test_where_the_api_is_closed_to_us_names_are_looked_at_one_by_one(
    google: Google, settings: Settings, status: int
) -> None:
    google.api_refuses = status

    done = crawl_google(settings)

    assert done.faults == ()
    assert done.repositories == 4
    asked = google.take_counts()
    assert asked["api"] == 1
    assert asked["tags"] > 2 * done.repositories


@pytest.mark.parametrize(
    ("code", "edit"),
    [
        # An empty list is left out of its page.
        ("empty_listing", lambda body: body.clear()),
        ("invalid_listing", lambda body: body.update(repositories=None)),
        ("invalid_listing", lambda body: body.update(repositories={})),
        ("invalid_listing", lambda body: body.update(nextPageToken=7)),
        ("invalid_listing", lambda body: body.update(error={"code": 7})),
    ],
)
def test_a_page_that_cannot_be_believed_deletes_nothing(
    google: Google,
    settings: Settings,
    database_url: str,
    code: str,
    edit: Callable[[dict[str, Any]], object],
) -> None:
    crawl_google(settings)
    before = counted(database_url)
    google.api_edit = edit

    done = crawl_google(settings)

    assert [fault.code for fault in done.faults] == [code]
    assert counted(database_url) == before
    google.api_edit = None
    assert crawl_google(settings).faults == ()


def test_pages_that_repeat_delete_nothing(
    google: Google, settings: Settings, database_url: str
) -> None:
    crawl_google(settings)
    before = counted(database_url)
    google.api_page = 1
    first: list[object] = []

    def edit(body: dict[str, Any]) -> None:
        if "packages" in body:
            first.append(body["packages"])
            body["packages"] = first[0]

    google.api_edit = edit
    done = crawl_google(settings)

    assert [fault.code for fault in done.faults] == ["pagination_loop"]
    assert counted(database_url) == before


def test_a_name_that_cannot_be_read_deletes_nothing(
    google: Google, settings: Settings, database_url: str
) -> None:
    crawl_google(settings)
    before = counted(database_url)

    def edit(body: dict[str, Any]) -> None:
        if "packages" in body:
            body["packages"] = [{"name": "projects/other/x"}, None]

    google.api_edit = edit
    crawl_google(settings)

    assert counted(database_url) == before


TOO_MUCH: Final = (
    b'{"name": "acme/images/shop/say", "tags": [' + b"[]," * 200_000 + b"1]}"
)


@pytest.fixture
def long(google: Google, tmp_path: Path, database_url: str) -> Settings:
    """A repository of which the registry itself says more than is read."""
    google.content = platform_content(NAMES[1], 10)
    google.edit = lambda _, body: Reply(200, (), TOO_MUCH)
    return google_settings(
        tmp_path, google, database_url, include=[NAMES[1]], has_api=True
    )


def test_a_listing_that_is_too_long_is_read_by_pages_of_the_api(
    google: Google, long: Settings
) -> None:
    google.api_page = 4
    crawl_google(long)
    first = google.take_counts()

    done = crawl_google(long)

    assert (done.faults, done.tags) == ((), 10)
    assert first["get_manifest"] == MANIFESTS_PER_INDEX
    assert google.take_counts() == {"401": 1, "token": 1, "tags": 1, "api": 3}


@pytest.mark.parametrize(
    "edit", [lambda body: body.clear(), None], ids=["nothing", "refused"]
)
def test_a_listing_that_is_too_long_and_not_in_the_api_deletes_nothing(
    google: Google,
    long: Settings,
    database_url: str,
    edit: Callable[[dict[str, Any]], object] | None,
) -> None:
    crawl_google(long)
    before = counted(database_url)
    google.api_edit, google.api_refuses = edit, 0 if edit else 403

    done = crawl_google(long)

    assert [fault.code for fault in done.faults] == ["too_large"]
    assert counted(database_url) == before
