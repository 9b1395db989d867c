"""GitHub's container registry, crawled where it goes wrong: nothing is deleted, what
happened is said, and the next crawl repairs it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from support.ghcr_replica.configured import (
    APP,
    CLI,
    TAGS,
    a_small_github,
    crawl_github,
    digests,
    ghcr_replica,
    ghcr_settings,
    live,
)
from support.ghcr_replica.state import TOKEN, GitHub
from weighbridge.config import Settings


def served(made: GitHub) -> Iterator[GitHub]:
    """Nothing that the real one forbids may be asked."""
    with ghcr_replica(made) as github:
        yield github
    assert github.violations == []


@pytest.fixture
def small() -> Iterator[GitHub]:
    yield from served(a_small_github())


Configure = Callable[..., Settings]


@pytest.fixture
def app_of(tmp_path: Path, database_url: str) -> Configure:
    """A configuration with acme/app alone."""

    def configure(github: GitHub, **keys: object) -> Settings:
        return ghcr_settings(
            tmp_path,
            github,
            database_url,
            organizations=["acme"],
            include=[APP],
            **keys,  # type: ignore[arg-type]  # keys of the same function
        )

    return configure


@pytest.mark.parametrize("at", [20, 100, 220])
def test_a_version_that_is_deleted_while_pages_are_read_hides_no_other(
    small: GitHub, app_of: Configure, database_url: str, at: int
) -> None:
    crawl_github(app_of(small))
    before = live(database_url)
    gone: list[str] = []

    def delete(number: int) -> None:
        small.after_page = None
        gone.extend(small.packages.delete_version(APP, at))

    small.after_page = delete
    done = crawl_github(app_of(small))

    assert {fault.code for fault in done.faults} <= {"listing_changed"}
    assert before - live(database_url) <= set(gone)
    assert crawl_github(app_of(small)).faults == ()
    assert live(database_url) == before - set(gone)


@pytest.mark.parametrize(("after", "missed"), [(1, 0), (3, 1), (2, 0)])
def test_a_version_that_is_pushed_while_pages_are_read_hides_no_other(
    small: GitHub, app_of: Configure, database_url: str, after: int, missed: int
) -> None:
    """After the third page the last tag of the second moves there: no page has it, and
    the registry is asked for it."""
    crawl_github(app_of(small))
    small.take_counts()
    before = live(database_url)

    def push(number: int) -> None:
        if number == after:
            small.after_page = None
            small.packages.push_new(APP, 7)

    small.after_page = push
    done = crawl_github(app_of(small))

    assert small.take_counts().get("head_manifest", 0) == missed
    assert done.faults == ()
    assert live(database_url) == before
    assert crawl_github(app_of(small)).faults == ()
    assert live(database_url) == before


def test_a_tag_that_moves_to_a_version_that_was_read_is_not_deleted(
    small: GitHub, app_of: Configure, database_url: str
) -> None:
    """From the second page to the third, which is read before it."""
    crawl_github(app_of(small))
    before = live(database_url)
    served: list[int] = []

    def move(number: int) -> None:
        served.append(number)
        if served[-2:] == [1, 3]:
            rows = small.packages.versions(APP)
            tagged = [place for place, row in enumerate(rows) if row.tags]
            second = next(place for place in tagged if 100 <= place < 200)
            third = next(place for place in tagged if place >= 200)
            rows[third].tags.append(rows[second].tags.pop())

    small.after_page = move
    done = crawl_github(app_of(small))

    assert served == [1, 3, 2]
    assert done.faults == ()
    assert live(database_url) == before


Break = Callable[[GitHub], None]


def end_the_token(github: GitHub) -> None:
    github.bad_after = 2


def lose_the_right(github: GitHub) -> None:
    github.hidden.add(APP)


def lose_sign_on(github: GitHub) -> None:
    github.sso = "partial-results; organizations=21955855"


def have_a_token_of_an_app(github: GitHub) -> None:
    github.token_kind = "app"


def serve_nothing(github: GitHub) -> None:
    github.rows = lambda _: []


def serve_null(github: GitHub) -> None:
    github.rows = lambda _: None


def serve_null_tags(github: GitHub) -> None:
    def rows(page: list[object]) -> object:
        return [
            {**row, "metadata": {"container": {"tags": None}}}
            for row in page
            if isinstance(row, dict)
        ]

    github.rows = rows


def serve_the_same_page(github: GitHub) -> None:
    same: list[list[object]] = []

    def rows(page: list[object]) -> object:
        same.append(page)
        return same[0]

    github.rows = rows


def name_another_host(github: GitHub) -> None:
    github.next_host = github.storage_url


BROKEN: Mapping[Break, tuple[str, str]] = {
    end_the_token: ("partial", "unauthorized"),
    lose_the_right: ("unauthorized", "denied"),
    lose_sign_on: ("unauthorized", "denied"),
    have_a_token_of_an_app: ("unauthorized", "denied"),
    serve_nothing: ("error", "empty_listing"),
    serve_null: ("error", "invalid_listing"),
    serve_null_tags: ("partial", "invalid_tag"),
    serve_the_same_page: ("partial", "pagination_loop"),
    name_another_host: ("error", "link_refused"),
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda b: b.__name__)
def test_what_is_broken_deletes_nothing_and_is_said_and_is_repaired(
    small: GitHub,
    app_of: Configure,
    tmp_path: Path,
    database_url: str,
    broken: Break,
) -> None:
    settings = app_of(small)
    crawl_github(settings)
    before = digests(database_url)

    broken(small)
    done = crawl_github(settings)
    told = [(one.state, one.reason) for one in done.troubled]
    kept, live_then = digests(database_url), live(database_url)
    small.bad_after, small.rows, small.sso, small.next_host = None, None, "", ""
    small.token_kind = "classic"
    small.hidden.clear()
    repaired = crawl_github(settings)

    assert told == [BROKEN[broken]]
    assert kept == before
    assert live_then == before.keys()
    assert repaired.faults == ()
    assert TOKEN not in repr(done)
    assert TOKEN.encode() not in (tmp_path / "weighbridge.db").read_bytes()
    assert repaired.troubled == ()
    assert live(database_url) == before.keys()


def test_a_package_that_may_not_be_seen_any_more_keeps_its_data(
    small: GitHub, tmp_path: Path, database_url: str
) -> None:
    settings = ghcr_settings(tmp_path, small, database_url, organizations=["acme"])
    crawl_github(settings)
    before = live(database_url)

    small.hidden.add(APP)
    done = crawl_github(settings)

    assert live(database_url) == before
    assert [(one.state, one.reason) for one in done.troubled] == [
        ("unauthorized", "denied")
    ]
    small.hidden.clear()
    assert crawl_github(settings).faults == ()


def test_an_owner_without_any_package_to_see_is_a_refusal(
    small: GitHub, tmp_path: Path, database_url: str
) -> None:
    settings = ghcr_settings(tmp_path, small, database_url, organizations=["acme"])
    crawl_github(settings)
    before = live(database_url)

    small.hidden |= {APP, CLI}
    done = crawl_github(settings)

    assert done.state != "ok"
    assert "empty_listing" in [fault.code for fault in done.faults]
    assert live(database_url) == before


def test_a_limit_of_the_api_is_waited_for(small: GitHub, app_of: Configure) -> None:
    """403, which elsewhere means that somebody may not read."""
    small.left, small.refusal = 2, "secondary"

    done = crawl_github(app_of(small))

    assert done.faults == ()
    assert done.tags == TAGS
    assert small.take_counts()["api_limited"] >= 1


ABSENT = "sha256:" + "0" * 64


def test_a_digest_that_the_registry_does_not_have_gives_way_to_what_the_tag_names(
    small: GitHub, app_of: Configure, database_url: str
) -> None:
    def rows(page: list[object]) -> object:
        return [
            {**row, "name": ABSENT}
            if isinstance(row, dict) and "t0003" in str(row)
            else row
            for row in page
        ]

    small.rows = rows
    done = crawl_github(app_of(small))

    assert done.faults == ()
    named = small.packages.content.manifest(APP, "t0003")
    assert named is not None
    assert digests(database_url)["t0003"] == named.digest


def test_a_listed_tag_without_a_manifest_is_said_and_the_others_are_read(
    small: GitHub, app_of: Configure, database_url: str
) -> None:
    def rows(page: list[object]) -> object:
        ghost = {"package_type": "container", "container": {"tags": ["ghost"]}}
        is_first = "t0000" in str(page)
        return [*page, {"name": ABSENT, "metadata": ghost}] if is_first else page

    small.rows = rows
    done = crawl_github(app_of(small))
    read = digests(database_url)
    small.rows = None
    again = crawl_github(app_of(small))

    assert [(one.state, one.reason) for one in done.troubled] == [
        ("partial", "manifest_unknown")
    ]
    assert len(read) == TAGS
    assert again.faults == ()
    assert live(database_url) == read.keys()
