"""Google's registries, crawled: what they are asked, what that costs, what is kept."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from support.google_replica.serving import (
    crawl_google,
    google_replica,
    google_settings,
)
from support.google_replica.state import ACCESS_TOKEN, KEY, Google
from support.platform_content import MANIFESTS_PER_INDEX, platform_content
from support.replica.brute_force import count_by_brute_force
from support.replica.stored import Counted, counted
from support.vendor_hosts import Reply, json_reply
from weighbridge.config import Settings
from weighbridge.demo.story import demo_content
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import open_database

CART: Final = "acme/images/shop/cart"
TAGS, INDEXES, PLATFORMS = 1_000, 100, 2
MANIFESTS: Final = INDEXES * MANIFESTS_PER_INDEX
HTML: Final = (("Content-Type", "text/html"),)
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


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'weighbridge.db'}"


@pytest.fixture
def settings(tmp_path: Path, few: Google, database_url: str) -> Settings:
    """Of the few tags."""
    return google_settings(tmp_path, few, database_url)


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
    assert digests(database_url) == _named(_rebuilt())


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


def test_a_false_password_is_tried_once_and_shown_nowhere(
    few: Google, tmp_path: Path, database_url: str
) -> None:
    auth = {"username": "_json_key", "password": "{canary}"}
    settings = google_settings(tmp_path, few, database_url, auth=auth)

    done = crawl_google(settings)

    assert done.state == "unauthorized"
    assert "canary" not in str(done)
    assert few.take_counts() == {"401": 1, "token": 1}


def test_a_project_that_is_refused_is_not_taken_for_empty(
    few: Google, settings: Settings, database_url: str
) -> None:
    crawl_google(settings)
    before = digests(database_url)
    few.hidden = ("acme",)

    done = crawl_google(settings)

    assert done.state != "ok"
    assert {fault.code for fault in done.faults} == {"denied"}
    assert digests(database_url) == before
    few.hidden = ()
    assert crawl_google(settings).state == "ok"


def test_one_refused_folder_keeps_nobody_from_the_others(
    few: Google, settings: Settings, database_url: str
) -> None:
    few.hidden = ("acme/images/secret",)

    def edit(name: str, body: dict[str, Any]) -> None:
        if name == "acme/images":
            body["child"] = ["secret", *body["child"]]

    few.edit = edit
    done = crawl_google(settings)

    assert [fault.code for fault in done.faults] == ["denied"]
    assert done.tags == 10


@pytest.mark.parametrize("nothing", [None, []])
def test_a_root_that_shows_nothing_is_not_taken_for_empty(
    few: Google, settings: Settings, database_url: str, nothing: object
) -> None:
    crawl_google(settings)
    before = digests(database_url)

    def edit(name: str, body: dict[str, Any]) -> None:
        body.update(child=nothing, manifest=None, tags=nothing)

    few.edit = edit
    done = crawl_google(settings)

    codes = {fault.code for fault in done.faults}
    assert codes == {"empty_listing", "name_unknown"}
    assert digests(database_url) == before
    few.edit = None
    assert crawl_google(settings).faults == ()


@pytest.mark.parametrize("unknown", ["404", "empty"])
def test_a_repository_that_vanishes_is_missing_and_then_gone(
    few: Google, settings: Settings, database_url: str, unknown: Any
) -> None:
    few.unknown = unknown
    other = "acme/images/shop/say"
    crawl_google(settings)
    few.content = platform_content(other, 10)

    done = crawl_google(settings)

    assert [fault.code for fault in done.faults] == ["name_unknown"]
    assert len(digests(database_url, other)) == 10
    assert crawl_google(settings).faults == ()
    assert live(database_url) == set()


def test_tags_that_are_null_are_read_from_the_manifests(
    few: Google, settings: Settings, database_url: str
) -> None:
    few.edit = lambda name, body: body.update(tags=None) if name == CART else None

    assert crawl_google(settings).tags == 10


def test_a_listing_without_manifests_is_asked_for_each_digest(
    few: Google, settings: Settings, database_url: str
) -> None:
    crawl_google(settings)
    few.take_counts()
    few.edit = lambda name, body: body.pop("manifest")

    done = crawl_google(settings)

    assert done.faults == ()
    assert few.take_counts()["head_manifest"] == 10


def test_a_tag_whose_manifest_is_gone_is_told_and_repaired(
    few: Google, settings: Settings, database_url: str
) -> None:
    def edit(name: str, body: dict[str, Any]) -> None:
        if name == CART:
            body["tags"].append("ghost")
            body["manifest"]["sha256:" + "0" * 64] = {"tag": ["ghost"]}

    few.edit = edit
    done = crawl_google(settings)

    assert (done.complete, done.partial) == (0, 1)
    assert digests(database_url).keys() == {f"t{n:04d}" for n in range(10)}
    few.edit = None
    assert crawl_google(settings).complete == 1


@pytest.mark.parametrize(
    ("code", "edited"),
    [
        ("invalid_listing", lambda body: body.pop("tags")),
        ("invalid_listing", lambda body: body.update(tags={})),
        ("invalid_listing", lambda body: body.update(manifest=[])),
        ("name_mismatch", lambda body: body.update(name="acme/images/shop/other")),
        ("invalid_json", lambda body: replace(json_reply(200, 1), body=b'{"name": "')),
        ("not_a_registry", lambda body: Reply(200, HTML, b"<html>")),
        ("denied", lambda body: json_reply(403, {})),
    ],
)
def test_a_listing_that_cannot_be_read_changes_nothing(
    few: Google, tmp_path: Path, database_url: str, code: str, edited: Any
) -> None:
    settings = google_settings(tmp_path, few, database_url, include=[CART])
    crawl_google(settings)
    before = digests(database_url)
    few.edit = lambda _, body: edited(body)

    done = crawl_google(settings)

    assert [fault.code for fault in done.faults] == [code]
    assert digests(database_url) == before
    few.edit = None
    assert crawl_google(settings).faults == ()


def test_pages_that_repeat_change_nothing(
    few: Google, tmp_path: Path, database_url: str
) -> None:
    """Google gives one page; should there be more, they must move on."""
    settings = google_settings(tmp_path, few, database_url, include=[CART])
    crawl_google(settings)
    before = digests(database_url)
    links = iter(range(9))

    def edit(name: str, body: dict[str, Any]) -> Reply:
        body["tags"], body["manifest"] = body["tags"][:3], {}
        link = f"</v2/{name}/tags/list?last=t{next(links)}>; rel=next"
        return json_reply(200, body, (("Link", link),))

    few.edit = edit
    done = crawl_google(settings)

    assert [fault.code for fault in done.faults] == ["pagination_loop"]
    assert digests(database_url) == before


def test_too_many_requests_are_waited_for(
    few: Google, settings: Settings, database_url: str
) -> None:
    few.throttled = 1

    done = crawl_google(settings)

    assert done.faults == ()
    assert few.take_counts()["429"] == 1


def test_a_token_that_ends_in_the_middle_is_asked_for_anew(
    few: Google, settings: Settings, database_url: str
) -> None:
    few.forget_after = 7

    done = crawl_google(settings)

    assert done.faults == ()
    assert done.tags == 10
    # The first of all, and those that were under way with a token that had ended.
    assert 2 <= few.take_counts()["401"] <= 1 + 8


def test_a_key_that_is_withdrawn_in_the_middle_changes_nothing(
    few: Google, settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl_google(settings)
    before = digests(database_url)
    few.content = platform_content(CART, 20)
    few.forget_after = 7
    monkeypatch.setitem(KEY, "private_key_id", "another")

    done = crawl_google(settings)

    assert done.state == "unauthorized"
    assert digests(database_url) == before


def _of_everything(tmp_path: Path, google: Google, database_url: str) -> Settings:
    """Without a name below which to look. Of what is on loopback the kind has to be
    said, and then so has this; a pattern says nothing."""
    return google_settings(tmp_path, google, database_url, include=["*", "acme/none"])


def _rebuilt() -> Any:
    return platform_content(CART, is_rebuilt=True)


def _named(content: Any) -> dict[str, str]:
    return {tag: content.manifest(CART, tag).digest for tag in content.tags(CART)}


def digests(database_url: str, repository: str = CART) -> dict[str, str]:
    database = open_database(database_url)
    try:
        with database.read() as connection:
            page = tag_page(connection, "google", repository, limit=1000)
        return {tag.name: str(tag.digest) for tag in page.items if tag.digest}
    finally:
        database.close()


def live(database_url: str, repository: str = CART) -> set[str]:
    """The tags that are not gone."""
    database = open_database(database_url)
    try:
        with database.read() as connection:
            page = tag_page(connection, "google", repository, limit=1000)
        return {tag.name for tag in page.items if tag.deleted_at is None}
    finally:
        database.close()
