"""Pages of names from strangers."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.registry.listing import RepositoryListing, TagPage, TagSeen
from weighbridge.errors import DocumentError
from weighbridge.registry.kinds.distribution.served import (
    parse_catalog_page,
    parse_tag_page,
)


def tag_page(tags: object, name: object = "shop/cart") -> bytes:
    return json.dumps({"name": name, "tags": tags}).encode()


def test_tags_come_in_the_registrys_order_and_once_each() -> None:
    page = parse_tag_page(tag_page(["v2", "latest", "v2"]), "shop/cart")

    assert page.as_tags() == TagPage((TagSeen("v2"), TagSeen("latest")), 0)


@pytest.mark.parametrize("tags", [None, []])
def test_null_tags_are_no_tags_registry_list_006(tags: object) -> None:
    assert parse_tag_page(tag_page(tags), "shop/cart").as_tags() == TagPage(())


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param("../../etc/shadow", id="registry_list-012 traversal"),
        pytest.param("t" * 129, id="registry_list-013 too long"),
        pytest.param("v1\nHost: evil", id="registry_list-014 line end"),
        pytest.param("größe", id="registry_list-016 not ASCII"),
        pytest.param(None, id="registry_list-017 null"),
        pytest.param("sha256:" + "0" * 64, id="digest"),
        pytest.param(7, id="number"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_tag_is_counted_and_the_others_kept(bad: object) -> None:
    page = parse_tag_page(tag_page(["fine", bad]), "shop/cart").as_tags()

    assert page == TagPage((TagSeen("fine"),), invalid=1)


@pytest.mark.parametrize("name", ["shop/vault", None, "Shop/cart", 3])
def test_tags_of_another_repository_are_refused_registry_list_008(name: object) -> None:
    with pytest.raises(DocumentError) as refused:
        parse_tag_page(tag_page(["v1"], name), "shop/cart")

    assert refused.value.code == "name_mismatch"


@pytest.mark.parametrize(
    "raw", [b'{"name":"shop/cart"}', b'{"name":"shop/cart","tags":{}}', b"[]"]
)
def test_a_page_without_a_list_is_not_an_empty_repository(raw: bytes) -> None:
    with pytest.raises(DocumentError) as refused:
        parse_tag_page(raw, "shop/cart")

    assert refused.value.code == "invalid_listing"


def test_hostile_repository_names_are_counted_registry_list_021() -> None:
    bad = [
        "..",
        "x//y",
        "Shop/Cart",
        "/root",
        "x/" + "y" * 300,
        "x/y?n=1",
        "x/y#z",
        "%2e%2e/y",
        "",
        None,
        "x/../y",
        "x y",
    ]
    raw = json.dumps({"repositories": ["shop/cart", *bad]}).encode()

    page = parse_catalog_page(raw).as_repositories()

    assert page == RepositoryListing(("shop/cart",), invalid=len(bad))


@pytest.mark.parametrize("bait", ["b" + "-b" * 30_000 + "!", "b__" * 20_000 + "/"])
def test_long_names_are_refused_at_once_registry_list_022(bait: str) -> None:
    raw = json.dumps({"repositories": [bait]}).encode()
    began = time.process_time()

    page = parse_catalog_page(raw)

    assert page.invalid == 1
    assert time.process_time() - began < 0.05


def test_a_catalog_may_be_empty_but_not_absent() -> None:
    assert parse_catalog_page(b'{"repositories":null}').names == ()
    with pytest.raises(DocumentError) as refused:
        parse_catalog_page(b"{}")
    assert refused.value.code == "invalid_listing"


@given(st.binary() | st.text('{}[]",:natgsme/\\u0', max_size=80).map(str.encode))
def test_any_bytes_give_a_page_or_our_error(raw: bytes) -> None:
    for parse in (parse_catalog_page, lambda raw: parse_tag_page(raw, "a")):
        try:
            page = parse(raw)
        except DocumentError:
            continue
        assert page.invalid >= 0
