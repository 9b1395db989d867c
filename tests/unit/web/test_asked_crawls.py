"""`POST /api/v1/crawls`: what is taken, by whom, and how far it is then."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from support.database import Engine, a_database
from support.fake_jobs import FakeJobs
from support.json_schema import misfits
from support.read_model import NOW
from support.tokens import a_token, bearer
from support.web_app import create_app
from weighbridge.bootstrap.registries.sites import asked_targets
from weighbridge.config import RegistrySettings, RepositorySettings, Settings
from weighbridge.domain.text.printable import Secret
from weighbridge.engine.context.parts import JobTarget
from weighbridge.errors import UsageError
from weighbridge.ports.job_names import TICK
from weighbridge.store.access import acts
from weighbridge.store.crawls.crawl_requests import (
    end_request,
    find_request,
    latest_requests,
)
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.webhooks.receiver import Reception

pytestmark = pytest.mark.slow

PATH = "/api/v1/crawls"
SETTINGS = Settings(
    database_url=Secret("sqlite://"),
    registries=(
        RegistrySettings(
            name="hub",
            url="http://127.0.0.1:5000",
            repositories=RepositorySettings(
                include=("acme/*",), exclude=("acme/tmp-*",)
            ),
        ),
        RegistrySettings(name="other", url="http://127.0.0.1:5001"),
    ),
)
FIND = asked_targets(SETTINGS)


@pytest.fixture
def database(tmp_path: Path, engine: Engine) -> Iterator[Database]:
    with a_database(tmp_path, engine) as opened:
        yield opened


@pytest.fixture
def jobs() -> FakeJobs:
    return FakeJobs()


@pytest.fixture
def admin(database: Database, jobs: FakeJobs) -> TestClient:
    return a_client(database, jobs)


def test_a_request_has_the_time_of_those_who_crawl(
    database: Database, jobs: FakeJobs
) -> None:
    # This service's own clock is an hour ahead of theirs.
    theirs = NOW - timedelta(hours=1)
    admin = a_client(database, jobs, due_clock=lambda: theirs)

    number = asked(admin, "hub/acme/app")[1]["request"]

    assert row(admin, number)["asked_at"] == "2026-09-22T08:40:00Z"


def a_client(
    database: Database,
    jobs: FakeJobs,
    role: str = "admin",
    due_clock: Callable[[], datetime] | None = None,
) -> TestClient:
    """Asks with a token of this role."""
    options = WebOptions(find_target=FIND, due_clock=due_clock)
    app = create_app(
        database, Telemetry(), options, Reception(jobs=jobs), now=lambda: NOW
    )
    client = TestClient(
        app, base_url="http://127.0.0.1:8080", raise_server_exceptions=False
    )
    client.headers.update(bearer(a_token(database, role, NOW)))
    return client


def asked(client: TestClient, target: object) -> tuple[int, dict[str, object]]:
    """The status, and the answer."""
    answer = client.post(PATH, json={"target": target})
    found: dict[str, object] = answer.json()
    return answer.status_code, found


def row(client: TestClient, number: object) -> dict[str, object]:
    found: dict[str, object] = client.get(f"/api/v1/crawl-requests/{number}").json()
    return found


def noted(database: Database) -> list[tuple[str, str, str]]:
    with database.read() as connection:
        return [(act.act, act.subject, act.detail) for act in acts(connection)]


def test_a_registry_is_asked_for_and_looked_at_at_once(
    admin: TestClient, jobs: FakeJobs, database: Database
) -> None:
    assert asked(admin, "hub") == (202, {"request": 1})

    found = row(admin, 1)
    assert found.pop("asked_at") is not None
    assert found == {
        "request": 1,
        "registry": "hub",
        "repositories": None,
        "measures": True,
        "state": "listing",
        "reason": None,
        "ended_at": None,
        "known": None,
        "left": None,
        "complete": None,
        "partial": None,
        "failed": None,
        "tags": None,
        "requests": None,
        "bytes_read": None,
    }
    assert jobs.asked == [(TICK, "")]
    assert noted(database) == [("crawl.ask", "hub", "request 1")]


def test_a_repository_is_asked_for_and_is_what_is_left(admin: TestClient) -> None:
    status, answer = asked(admin, "hub/acme/app")

    found = row(admin, answer["request"])
    assert status == 202
    assert found["repositories"] == ["acme/app"]
    assert (found["state"], found["known"], found["left"]) == ("crawling", 1, 1)


def test_what_is_under_way_is_not_asked_for_twice(
    admin: TestClient, database: Database
) -> None:
    first = asked(admin, "hub/acme/app")
    again = asked(admin, "hub/acme/app")
    whole = asked(admin, "hub")
    other = asked(admin, "other")

    assert first == (202, {"request": 1})
    assert again == (200, {"request": 1})
    assert (whole[1], other[1]) == ({"request": 2}, {"request": 3})
    assert [subject for _, subject, _ in noted(database)] == [
        "hub/acme/app",
        "hub",
        "other",
    ]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_what_has_ended_is_asked_for_anew_and_keeps_its_counts(
    admin: TestClient, database: Database
) -> None:
    asked(admin, "hub/acme/app")
    with database.write() as connection:
        found = find_request(connection, 1)
        assert found is not None
        end_request(connection, found, "done", "", NOW)

    assert asked(admin, "hub/acme/app") == (202, {"request": 2})
    ended = row(admin, 1)
    assert (ended["state"], ended["left"]) == ("done", 0)
    assert (ended["complete"], ended["tags"], ended["requests"]) == (0, 0, 0)
    assert ended["ended_at"] == "2026-09-22T09:40:00Z"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.parametrize(
    ("target", "status", "code", "hint"),
    [
        ("no", 404, "registry_not_found", "configured: hub, other"),
        ("no/acme/app", 404, "registry_not_found", "configured: hub, other"),
        ("127.0.0.1:5000", 404, "registry_not_found", "configured: hub, other"),
        ("http://127.0.0.1:5000/acme/app", 404, "registry_not_found", "configured"),
        ("", 404, "registry_not_found", "configured"),
        ("hub/acme/app:1.0", 422, "unknown_target", "hub/acme/app"),
        ("hub/Acme/App", 422, "unknown_target", "hub/acme/app"),
        ("hub/acme/app\n", 422, "unknown_target", "name/repository"),
        ("hub/../x", 422, "unknown_target", "name/repository"),
        ("hub/" + "a" * 300, 422, "unknown_target", "name/repository"),
        ("hub/acme/tmp-1", 422, "outside_filter", "see `repositories`"),
        ("hub/library/python", 422, "outside_filter", "see `repositories`"),
    ],
)
def test_what_cannot_be_crawled_is_refused_with_a_hint(
    admin: TestClient,
    database: Database,
    jobs: FakeJobs,
    target: str,
    status: int,
    code: str,
    hint: str,
) -> None:
    found, answer = asked(admin, target)

    error = answer["error"]
    assert isinstance(error, dict)
    assert (found, error["code"]) == (status, code)
    assert hint in error["detail"]["hint"]
    assert noted(database) == []
    assert jobs.asked == []
    with database.read() as connection:
        assert latest_requests(connection, 10) == []


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.parametrize("body", [{}, {"target": 5}, {"target": "hub", "x": 1}, []])
def test_a_body_of_another_shape_is_refused(admin: TestClient, body: object) -> None:
    answer = admin.post(PATH, json=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_body")


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.parametrize(
    ("number", "status"), [("7", 404), ("x", 404), ("9" * 30, 404)]
)
def test_a_request_that_nobody_made_is_not_found(
    admin: TestClient, number: str, status: int
) -> None:
    answer = admin.get(f"/api/v1/crawl-requests/{number}")

    code = answer.json()["error"]["code"]
    assert (answer.status_code, code) == (status, "request_not_found")


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_token_that_may_read_asks_for_nothing(
    database: Database, jobs: FakeJobs
) -> None:
    reader = a_client(database, jobs, "read")

    assert asked(reader, "hub")[0] == 403
    assert jobs.asked == []


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_page_of_another_site_asks_for_nothing(
    admin: TestClient, jobs: FakeJobs
) -> None:
    answer = admin.post(
        PATH,
        json={"target": "hub"},
        headers={"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site")
    assert jobs.asked == []


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_the_page_of_crawls_shows_what_was_asked_for(admin: TestClient) -> None:
    before = admin.get("/crawls").text
    asked(admin, "hub/acme/app")
    after = admin.get("/crawls").text

    assert "Asked for" not in before
    assert "Asked for" in after
    assert "1 of 1 left" in after


REFUSALS = (
    "registry_not_found",
    "unknown_target",
    "outside_filter",
    "invalid_registry",
)


def outcome(text: str) -> tuple[JobTarget | None, str]:
    """What a text means, or the code of what is wrong with it."""
    try:
        return FIND(text), ""
    except UsageError as exc:
        return None, exc.code


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@given(st.text(max_size=60) | st.from_regex(r"hub/[a-z./:@A-Z0-9-]{0,20}"))
def test_any_text_is_a_target_that_is_crawled_or_is_refused(text: str) -> None:
    found, code = outcome(text)

    if found is None:
        assert code in REFUSALS
    else:
        assert found.site.name == text.partition("/")[0]
        assert not found.repository or found.site.scope.includes(found.repository)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with a_database(tmp_path_factory.mktemp("asked")) as database:
        yield a_client(database, FakeJobs())


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=20)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["target", "x"]), VALUES | st.lists(VALUES)))
def test_any_object_is_answered_in_one_shape(
    lasting: TestClient, body: dict[str, object]
) -> None:
    answer = lasting.post(PATH, json=body)

    assert answer.status_code in (200, 202, 400, 404, 422)
    document = lasting.get("/api/v1/openapi.json").json()
    shapes = document["paths"][PATH]["post"]["responses"]
    shape = shapes[str(answer.status_code)]["content"]["application/json"]["schema"]
    assert not misfits(answer.json(), shape, document)
