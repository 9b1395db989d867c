"""Google's registries, crawled: what they are asked, what that costs, what is kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from support.google_replica.kept import digests
from support.google_replica.serving import (
    crawl_google,
    google_replica,
    google_settings,
)
from support.google_replica.state import ACCESS_TOKEN, Google
from support.platform_content import MANIFESTS_PER_INDEX, platform_content
from support.replica.brute_force import count_by_brute_force
from support.replica.stored import Counted, counted
from weighbridge.config import Settings
from weighbridge.demo.story import demo_content

CART: Final = "acme/images/shop/cart"
TAGS, INDEXES, PLATFORMS = 1_000, 100, 2
MANIFESTS: Final = INDEXES * MANIFESTS_PER_INDEX
FOLDERS: Final = 4  # acme, acme/images, acme/images/shop, and the image itself


@pytest.fixture
def google() -> Iterator[Google]:
    """1,000 tags; nothing that the real one forbids may have been asked."""
    with google_replica(Google(platform_content(CART))) as served:
        yield served
    assert served.violations == []


@pytest.fixture
def few() -> Iterator[Google]:
    """Ten tags of one index."""
    with google_replica(Google(platform_content(CART, 10))) as served:
        yield served
    assert served.violations == []


def test_a_thousand_tags_of_two_platforms_cold_unchanged_and_changed(
    google: Google, tmp_path: Path, database_url: str
) -> None:
    """The table of docs/registries.md: `pytest -s -k thousand` prints it."""
    settings = google_settings(tmp_path, google, database_url)
    spent: list[dict[str, int]] = []
    for content in (google.content, google.content, _rebuilt()):
        google.content = content
        done = crawl_google(settings)
        assert (done.state, done.tags) == ("ok", TAGS)
        spent.append(google.take_counts())
        print(spent[-1])

    cold, unchanged, changed = spent
    listing = {"401": 1, "token": FOLDERS, "tags": FOLDERS + 1}
    assert unchanged == listing
    assert cold["get_manifest"] == MANIFESTS
    assert changed["get_manifest"] == TAGS // 100 * MANIFESTS_PER_INDEX
    for counts in (cold, changed):
        assert {name: counts[name] for name in listing} == listing
        assert "head_manifest" not in counts
    assert digests(database_url, CART) == _named(_rebuilt())


def test_all_that_is_below_a_project_is_weighed_to_the_byte(
    tmp_path: Path, database_url: str
) -> None:
    content = demo_content()
    projects = sorted({name.partition("/")[0] for name in content.repositories()})
    with google_replica(Google(content)) as google:
        settings = google_settings(
            tmp_path, google, database_url, include=[f"{p}/*" for p in projects]
        )
        done = crawl_google(settings, measure=True)

    expected = count_by_brute_force(content).repositories
    assert done.faults == ()
    assert counted(database_url) == {
        name: Counted(r.tags, r.images, r.referenced_bytes, r.weighed_bytes)
        for name, r in expected.items()
    }
    assert google.violations == []


def test_only_what_the_patterns_begin_with_is_looked_at(
    google: Google, tmp_path: Path, database_url: str
) -> None:
    settings = google_settings(tmp_path, google, database_url, include=["acme/tools/*"])

    done = crawl_google(settings)

    assert [fault.code for fault in done.faults] == ["name_unknown"]
    assert google.take_counts()["tags"] == 1


def test_a_named_repository_is_asked_for_alone(
    few: Google, tmp_path: Path, database_url: str
) -> None:
    settings = google_settings(tmp_path, few, database_url, include=[CART])

    assert crawl_google(settings).tags == 10
    assert few.take_counts()["tags"] == 1


def test_nothing_of_a_key_is_kept(
    few: Google, tmp_path: Path, database_url: str
) -> None:
    settings = google_settings(tmp_path, few, database_url)

    done = crawl_google(settings)

    kept = b"".join(p.read_bytes() for p in tmp_path.iterdir() if p.name != "key.json")
    assert b"canary" not in kept
    assert "canary" not in f"{done} {settings!r}"


def test_an_access_token_signs_in_too(
    few: Google, tmp_path: Path, database_url: str
) -> None:
    auth = {"username": "oauth2accesstoken", "password": ACCESS_TOKEN}

    settings = google_settings(tmp_path, few, database_url, auth=auth)

    assert crawl_google(settings).tags == 10


def test_a_public_project_is_read_by_everybody(
    few: Google, tmp_path: Path, database_url: str
) -> None:
    few.public = frozenset({"acme"})

    settings = google_settings(tmp_path, few, database_url, signs_in=False)

    assert crawl_google(settings).tags == 10


def test_a_catalog_is_read_where_there_is_one(
    few: Google, tmp_path: Path, database_url: str
) -> None:
    few.has_catalog = True
    settings = _of_everything(tmp_path, few, database_url)

    assert crawl_google(settings).tags == 10


def test_without_a_catalog_it_is_said_what_to_write(
    few: Google, tmp_path: Path, database_url: str
) -> None:
    done = crawl_google(_of_everything(tmp_path, few, database_url))

    assert "no_namespaces" in {fault.code for fault in done.faults}


def _of_everything(tmp_path: Path, google: Google, database_url: str) -> Settings:
    """Without a name below which to look. Of what is on loopback the kind has to be
    said, and then so has this; a pattern says nothing."""
    return google_settings(tmp_path, google, database_url, include=["*", "acme/none"])


def _rebuilt() -> Any:
    return platform_content(CART, is_rebuilt=True)


def _named(content: Any) -> dict[str, str]:
    return {tag: content.manifest(CART, tag).digest for tag in content.tags(CART)}
