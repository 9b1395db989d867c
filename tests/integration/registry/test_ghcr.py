"""GitHub's container registry, crawled: what it is asked, what that costs, and what is
kept."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.ghcr_replica.configured import (
    APP,
    CLI,
    TAGS,
    a_github,
    a_small_github,
    crawl_github,
    digests,
    ghcr_replica,
    ghcr_settings,
)
from support.ghcr_replica.state import GitHub
from support.platform_content import MANIFESTS_PER_INDEX, platform_content
from support.replica.brute_force import count_by_brute_force
from support.replica.changes import ChangingContent
from support.replica.stored import Counted, counted
from weighbridge.config import Settings

IMAGES = 100
VERSIONS = IMAGES * MANIFESTS_PER_INDEX
PAGES = VERSIONS // 100


def served(made: GitHub) -> Iterator[GitHub]:
    """Nothing that the real one forbids may be asked."""
    with ghcr_replica(made) as github:
        yield github
    assert github.violations == []


@pytest.fixture
def github() -> Iterator[GitHub]:
    yield from served(a_github(1_000, 10))


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


def test_1000_tags_cold_unchanged_and_with_a_hundredth_changed(
    github: GitHub, app_of: Configure
) -> None:
    """So many as a page has, with ten tags each."""
    settings = app_of(github)

    cold = crawl_github(settings)
    asked = github.take_counts()
    unchanged = crawl_github(settings)
    asked_again = github.take_counts()
    rebuilt = platform_content(APP, is_rebuilt=True)
    github.packages.replace(ChangingContent(rebuilt), APP)
    changed = crawl_github(settings)
    asked_for_changes = github.take_counts()

    assert [c.faults for c in (cold, unchanged, changed)] == [(), (), ()]
    assert cold.tags == unchanged.tags == changed.tags == 1_000
    assert asked["api"] == PAGES
    assert asked["get_manifest"] == VERSIONS
    assert (asked["token"], asked["registry_401"]) == (1, 1)
    assert "head_manifest" not in asked
    assert asked_again == {"api": PAGES}
    # Ten new indexes with their images and attestations, at the front.
    assert asked_for_changes["api"] == PAGES + 1
    assert asked_for_changes["get_manifest"] == 10 * MANIFESTS_PER_INDEX
    assert "head_manifest" not in asked_for_changes
    for counts in (asked, asked_for_changes):
        # The configs of images and attestations, through the storage.
        assert counts["get_blob"] == counts["get_manifest"] * 4 // 5


def test_packages_of_organisations_and_users_are_weighed_to_the_byte(
    small: GitHub, tmp_path: Path, database_url: str
) -> None:
    settings = ghcr_settings(
        tmp_path, small, database_url, organizations=["Acme"], users=["octo"]
    )

    done = crawl_github(settings, measure=True)

    expected = count_by_brute_force(small.packages.content).repositories
    assert done.faults == ()
    assert counted(database_url) == {
        name: Counted(r.tags, r.images, r.referenced_bytes, r.weighed_bytes)
        for name, r in expected.items()
    }


def test_discovery_costs_a_page_an_owner_and_a_page_a_small_package(
    small: GitHub, tmp_path: Path, database_url: str
) -> None:
    settings = ghcr_settings(
        tmp_path, small, database_url, organizations=["acme"], users=["octo"]
    )
    crawl_github(settings)
    small.take_counts()

    done = crawl_github(settings)

    assert done.repositories == 3
    assert small.take_counts() == {"api": 2 + 3 + 1 + 1}


def test_a_token_is_asked_for_each_repository_and_never_for_the_placeholder(
    small: GitHub, tmp_path: Path, database_url: str
) -> None:
    settings = ghcr_settings(tmp_path, small, database_url, organizations=["acme"])

    crawl_github(settings)

    assert small.take_counts()["token"] == 2
    assert set(small.pull_tokens.values()) == {APP, CLI}


def test_without_a_token_the_registry_lists_the_tags(
    small: GitHub, tmp_path: Path, database_url: str
) -> None:
    settings = ghcr_settings(tmp_path, small, database_url, include=[APP], token="")

    done = crawl_github(settings)

    asked = small.take_counts()
    assert done.faults == ()
    assert (asked["tags"], "api" in asked) == (1, False)
    assert len(digests(database_url)) == TAGS


def test_versions_beyond_the_end_of_the_api_s_pages_are_tags_of_the_registry(
    small: GitHub, app_of: Configure, database_url: str
) -> None:
    for number in range(10_000):
        small.packages.push_new(APP, number)

    done = crawl_github(app_of(small))
    asked = small.take_counts()
    again = crawl_github(app_of(small))

    assert done.faults == again.faults == ()
    assert (asked["api"], asked["tags"]) == (1, 1)
    assert small.take_counts() == {
        "api": 1,
        "tags": 1,
        "token": 1,
        "registry_401": 1,
        "head_manifest": TAGS,
    }
    assert len(digests(database_url)) == TAGS
