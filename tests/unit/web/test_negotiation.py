"""What a client forbids by `;q=0` it does not get."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from weighbridge.web.request.answers import prefers

OPENMETRICS = "application/openmetrics-text"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (f"{OPENMETRICS};version=1.0.0,text/plain;q=0.5", OPENMETRICS),
        (
            f"{OPENMETRICS};version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            OPENMETRICS,
        ),
        (f"{OPENMETRICS};q=0", "text/plain"),
        (f"{OPENMETRICS};version=1.0.0; Q=0.000, */*", "text/plain"),
        (f"{OPENMETRICS};q=0.4, text/plain;q=0.9", "text/plain"),
        (f"{OPENMETRICS};q=never", "text/plain"),
        ("*/*", "text/plain"),
        ("", "text/plain"),
    ],
)
def test_metrics_come_in_a_form_that_is_not_forbidden(
    client: TestClient, accept: str, content_type: str
) -> None:
    answer = client.get("/metrics", headers={"accept": accept})

    assert answer.headers["content-type"].startswith(content_type)


@pytest.mark.parametrize(
    ("accept_encoding", "is_zipped"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.1", True),
        ("gzip, *;q=0", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("identity;q=1, gzip;q=0.5", False),
        ("not-gzip", False),
        ("*;q=0", False),
    ],
)
def test_the_inventory_is_compressed_only_where_gzip_is_not_forbidden(
    client: TestClient, accept_encoding: str, is_zipped: bool
) -> None:
    headers = {"accept-encoding": accept_encoding}

    answer = client.get("/metrics/repositories", headers=headers)

    assert ("content-encoding" in answer.headers) is is_zipped


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("text/html;q=0, */*", "application/json"),
        ("text/html;q=0.2, application/json", "application/json"),
        ("*/*", "application/json"),
    ],
)
def test_an_error_is_a_page_only_for_who_takes_pages(
    client: TestClient, accept: str, content_type: str
) -> None:
    answer = client.get("/no-such-page", headers={"accept": accept})

    assert answer.headers["content-type"].startswith(content_type)


@given(st.lists(st.text(), max_size=3), st.sampled_from(["gzip", "a/b", ""]))
def test_any_header_is_an_answer(sent: list[str], name: str) -> None:
    assert prefers([*sent, f"{name};q=0"], name, "identity") in (True, False)
    assert not prefers([f"{name};q=0"], name, "identity")
