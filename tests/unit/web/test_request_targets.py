"""Requests whose target is a whole URL, which RFC 9112 3.2.2 has every server take."""

import asyncio
import json
from urllib.parse import unquote

import pytest
from starlette.types import Message, Scope

from support.web_app import create_app
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

LOCAL = WebOptions()
NAMED = WebOptions(external_url="https://weighbridge.example", anonymous_read=True)


def ask(
    database: Database,
    target: str,
    host: str | None = "127.0.0.1:8080",
    options: WebOptions = LOCAL,
) -> tuple[int, bytes]:
    """Status and body, as for a request that uvicorn has read."""
    path, _, query = target.partition("?")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "root_path": "",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [] if host is None else [(b"host", host.encode())],
        "server": ("127.0.0.1", 8080),
        "client": ("127.0.0.1", 50_000),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    app = create_app(database, Telemetry(), options)
    asyncio.run(app(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    return int(sent[0]["status"]), body


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:8080/healthz",
        "HTTP://localhost/healthz",
        "https://127.0.0.1/healthz",
        "http://[::1]:8080/healthz",
    ],
)
def test_a_whole_url_is_answered_as_its_path(database: Database, target: str) -> None:
    assert ask(database, target) == (200, b"ok\n")


def test_a_url_of_no_path_is_the_first_page_and_keeps_its_query(
    database: Database,
) -> None:
    status, body = ask(database, "http://127.0.0.1:8080?q=needle")

    assert status == 200
    assert b"needle" in body


def test_names_in_a_path_may_be_written_in_escapes(database: Database) -> None:
    status, body = ask(database, "http://localhost/%61pi/v1/registries")

    assert (status, json.loads(body)["items"]) == (200, [])


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("http://evil.example/", "127.0.0.1:8080"),
        ("http://evil.example/", "evil.example"),
        ("http://127.0.0.1:8080/", "evil.example"),
        ("http://127.0.0.1.evil.example/", None),
    ],
)
def test_a_page_that_points_its_own_name_at_us_is_refused_in_every_form(
    database: Database, target: str, host: str | None
) -> None:
    status, _ = ask(database, target, host)

    assert status == 421


def test_under_a_name_of_its_own_the_host_of_the_url_counts(
    database: Database,
) -> None:
    target = "http://weighbridge.example/healthz"

    assert ask(database, target, "other.example", NAMED) == (200, b"ok\n")


@pytest.mark.parametrize(
    "target",
    [
        "ftp://127.0.0.1/healthz",
        "http://user@127.0.0.1/healthz",
        "http:///healthz",
        "*",
    ],
)
def test_what_is_no_url_of_ours_is_found_nowhere(
    database: Database, target: str
) -> None:
    status, _ = ask(database, target)

    assert status == 404
