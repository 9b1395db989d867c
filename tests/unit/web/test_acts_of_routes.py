"""Whatever an admin does over HTTP is a row of the audit log, with who did it."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from support.read_model import NOW
from support.store_world import World
from support.tokens import a_kept_token, bearer
from support.web_app import create_app
from weighbridge.bootstrap.registries.sites import asked_targets
from weighbridge.config import RegistrySettings, Settings
from weighbridge.domain.text.printable import Secret
from weighbridge.store.access import acts
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.request.parameters import RouteRow
from weighbridge.web.routes.app import ROUTES

SETTINGS: Final = Settings(
    database_url=Secret("sqlite://"),
    registries=(RegistrySettings(name="hub", url="http://127.0.0.1:5000"),),
)
OF_ADMINS: Final = [row for row in ROUTES if row.role == "admin"]
WISH: Final = {
    "registry": "hub",
    "repository": "acme/*",
    "reason": "until it is smaller",
    "expires_at": "2027-01-31",
}
SENT: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "POST /api/v1/waivers": ("waiver.create", {"json": WISH}),
    "DELETE /api/v1/waivers/{waiver_id}": ("waiver.revoke", {}),
    "POST /api/v1/crawls": ("crawl.ask", {"json": {"target": "hub"}}),
    "POST /waivers": ("waiver.create", {"data": {**WISH, "tag": "", "limit_key": ""}}),
}
"""The act, and what is sent. A new route fails here until it is named."""


def name_of(row: RouteRow) -> str:
    return f"{row.method} {row.path}"


def test_every_route_of_admins_is_tried_and_no_other_changes_something() -> None:
    writing = {name_of(row) for row in ROUTES if row.method != "GET"}

    assert {name_of(row) for row in OF_ADMINS} == SENT.keys()
    # A webhook is known by its secret: it asks for a look at what was pushed.
    assert {name for name in writing - SENT.keys() if "webhook" not in name} == set()


@pytest.mark.parametrize("row", OF_ADMINS, ids=name_of)
def test_what_an_admin_does_over_http_is_a_row_with_their_name(
    world: World, row: RouteRow
) -> None:
    text, token = a_kept_token(world.database, "admin", NOW)
    options = WebOptions(find_target=asked_targets(SETTINGS))
    app = create_app(world.database, Telemetry(), options, now=lambda: NOW)
    client = TestClient(app, base_url="http://127.0.0.1:8080")
    client.headers.update(bearer(text))
    if "{waiver_id}" in row.path:
        assert client.post("/api/v1/waivers", json=WISH).status_code == 201
    act, sent = SENT[name_of(row)]

    path = row.path.replace("{waiver_id}", "1")
    answer = client.request(row.method, path, follow_redirects=False, **sent)

    assert answer.status_code in (200, 201, 202, 303), answer.text
    with world.database.read() as connection:
        last = acts(connection)[-1]
    assert (last.act, last.actor) == (act, token.name)
