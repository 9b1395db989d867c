"""What a page leaves behind once it was sent."""

import gc
from collections.abc import Callable

import pytest

from support.pages import image_html, overview_html
from support.read_model import a_registry_report, a_repository_report, a_weighing
from weighbridge.web.views.templating import TEMPLATES


def an_overview() -> str:
    rows = [a_repository_report(f"shop/app{number}") for number in range(20)]
    return overview_html([a_registry_report()], rows)


def an_image() -> str:
    return image_html(a_weighing())


@pytest.mark.parametrize("page", [an_overview, an_image])
def test_a_page_leaves_no_rings_for_the_garbage_collector(
    page: Callable[[], str],
) -> None:
    """Which looks seldom: until then every row of every page would be kept."""
    page()

    # A thread that another test has left running may drop something meanwhile; what a
    # page leaves, it leaves each time.
    assert min(left_by(page) for _ in range(3)) == 0


def left_by(page: Callable[[], str]) -> int:
    gc.collect()
    gc.disable()
    try:
        assert page()

        return gc.collect()
    finally:
        gc.enable()


def test_no_page_has_a_macro_of_its_own() -> None:
    """It would hold the values of the page, which hold it."""
    pages = [
        path.name
        for path in TEMPLATES.glob("*.html")
        if "{% extends" in (text := path.read_text()) and "{% macro" in text
    ]

    assert pages == []
