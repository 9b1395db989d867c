"""What goes wrong at Google's registries: old data stays, the state says what happened,
and the next crawl repairs it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from support.google_replica.kept import digests, live
from support.google_replica.serving import (
    crawl_google,
    google_replica,
    google_settings,
)
from support.google_replica.state import KEY, Google
from support.platform_content import platform_content
from support.vendor_hosts import Reply, json_reply
from weighbridge.config import Settings

CART: Final = "acme/images/shop/cart"
HTML: Final = (("Content-Type", "text/html"),)


@pytest.fixture
def few() -> Iterator[Google]:
    """Ten tags of one index; nothing that the real one forbids may have been asked."""
    with google_replica(Google(platform_content(CART, 10))) as served:
        yield served
    assert served.violations == []


@pytest.fixture
def settings(tmp_path: Path, few: Google, database_url: str) -> Settings:
    return google_settings(tmp_path, few, database_url)


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
    before = digests(database_url, CART)
    few.hidden = ("acme",)

    done = crawl_google(settings)

    assert done.state != "ok"
    assert {fault.code for fault in done.faults} == {"denied"}
    assert digests(database_url, CART) == before
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
    before = digests(database_url, CART)

    def edit(name: str, body: dict[str, Any]) -> None:
        body.update(child=nothing, manifest=None, tags=nothing)

    few.edit = edit
    done = crawl_google(settings)

    codes = {fault.code for fault in done.faults}
    assert codes == {"empty_listing", "name_unknown"}
    assert digests(database_url, CART) == before
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
    assert live(database_url, CART) == set()


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
    assert digests(database_url, CART).keys() == {f"t{n:04d}" for n in range(10)}
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
    before = digests(database_url, CART)
    few.edit = lambda _, body: edited(body)

    done = crawl_google(settings)

    assert [fault.code for fault in done.faults] == [code]
    assert digests(database_url, CART) == before
    few.edit = None
    assert crawl_google(settings).faults == ()


def test_pages_that_repeat_change_nothing(
    few: Google, tmp_path: Path, database_url: str
) -> None:
    """Google gives one page; should there be more, they must move on."""
    settings = google_settings(tmp_path, few, database_url, include=[CART])
    crawl_google(settings)
    before = digests(database_url, CART)
    links = iter(range(9))

    def edit(name: str, body: dict[str, Any]) -> Reply:
        body["tags"], body["manifest"] = body["tags"][:3], {}
        link = f"</v2/{name}/tags/list?last=t{next(links)}>; rel=next"
        return json_reply(200, body, (("Link", link),))

    few.edit = edit
    done = crawl_google(settings)

    assert [fault.code for fault in done.faults] == ["pagination_loop"]
    assert digests(database_url, CART) == before


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
    before = digests(database_url, CART)
    few.content = platform_content(CART, 20)
    few.forget_after = 7
    monkeypatch.setitem(KEY, "private_key_id", "another")

    done = crawl_google(settings)

    assert done.state == "unauthorized"
    assert digests(database_url, CART) == before
