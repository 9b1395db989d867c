"""The page of violations over repositories of chosen sizes, and its panel "What if"."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from starlette.testclient import TestClient

from support.html import Element, parse
from support.many_repositories import add_repositories, change
from support.read_model import NOW
from support.web_app import create_app
from weighbridge.domain.policy.policy import NO_POLICIES, PolicySet
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

MB: Final = 1_000_000


def add_sizes(
    database: Database, names: Sequence[str], megabytes: Sequence[int | None]
) -> None:
    """Repositories whose newest images weigh so much, compressed; None: unknown."""
    ids = add_repositories(database, names)
    for name, size in zip(names, megabytes, strict=True):
        weight = None if size is None else size * MB
        change(database, ids[name], newest_compressed_bytes=weight)


def asking(database: Database, policies: PolicySet = NO_POLICIES) -> TestClient:
    """A client of a service with these policies."""
    options = WebOptions(policies=lambda: policies)
    app = create_app(database, Telemetry(), options, now=lambda: NOW)
    return TestClient(app, base_url="http://127.0.0.1:8080")


def panel_of(client: TestClient, **parameters: str) -> Element:
    """The panel of a page that was asked for with these parameters."""
    answer = client.get(f"/violations?{urlencode(parameters)}")
    assert answer.status_code == 200
    return parse(answer.text).by_id("what-if")


def rows_of(panel: Element, caption: str) -> list[list[str]]:
    """The cells of the table with this caption; none where there is no such table."""
    for table in panel.all("table"):
        if caption in table.one("caption").text:
            rows = table.one("tbody").all("tr")
            return [
                [cell.text for cell in row.all() if cell.tag in ("th", "td")]
                for row in rows
            ]
    return []
