"""The OpenAPI document says what the API answers: nothing less, and nothing more."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection
from starlette.testclient import TestClient

from support.answering import answer, keep_sizes
from support.database import a_database
from support.images import a_layer, an_artifact_of, an_image, an_index_of, some_layers
from support.json_schema import misfits
from support.known_bases import KnownBases
from support.read_model import NOW
from support.store_world import T0, World, a_result, an_entry
from support.tokens import a_token, bearer
from support.web_app import create_app
from weighbridge.domain.image.document import Child, Descriptor, Line
from weighbridge.domain.size.confidence import MeasuredBlob, Uncompressed
from weighbridge.engine.context.parts import Scope, Site
from weighbridge.engine.crawl_requests.requests import ask
from weighbridge.errors import StoreError
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.reports.bases import BASE_SORTS
from weighbridge.store.reports.repositories import SORTS
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.request.answers import methods_of, template_of
from weighbridge.web.routes.app import ROUTES

pytestmark = pytest.mark.slow

CRAWLS = "/api/v1/crawls/{crawl_id}"
REQUESTS = "/api/v1/crawl-requests/{request_id}"
ASKED: Mapping[str, list[str]] = {
    REQUESTS: ["1", "1?x=1", "4711", "x"],
    "/api/v1/registries": ["", "?no=1"],
    "/api/v1/repositories": ["", "?q=app&sort=name", "?limit=0", "?registry=no"],
    "/api/v1/repository": ["?ref=hub/acme/app", "", "?ref=hub/acme/no"],
    "/api/v1/tags": ["?ref=hub/acme/app", "?ref=hub/acme/app&cursor=x", "?ref=no/no"],
    "/api/v1/image": [
        "?ref=hub/acme/app:1",
        "?ref=hub/acme/app:chart",
        "?ref=hub/acme/app:odd",
        "?ref=HUB",
        "?ref=hub/acme/app:none",
        "?ref=hub/acme/app:1&platform=linux/s390x",
        "?ref=hub/acme/no:1",
    ],
    "/api/v1/history": [
        "?ref=hub/acme/app",
        "?ref=hub/acme/app:odd&limit=1",
        "?ref=hub/acme/app:chart&since=90d",
        "?ref=hub/acme/app:1&platform=linux/s390x",
        "?ref=hub/acme/app&since=soon",
        "?ref=hub/acme/app:none",
        "?ref=hub/acme/no",
        "?cursor=x",
    ],
    "/api/v1/compare": [
        "?a=hub/acme/app:1&b=hub/acme/app:odd",
        "?a=hub/acme/app:1&b=hub/acme/app:1&platform=linux/amd64",
        "?a=hub/acme/app:1",
        "?a=hub/acme/app:1&b=hub/acme/app:chart",
        "?a=hub/acme/app:1&b=hub/acme/app:none",
        "?a=hub/acme/no:1&b=hub/acme/app:1",
    ],
    "/api/v1/known-bases": [f"?chains={'0' * 64}", "", "?chains=x"],
    "/api/v1/bases": [
        "",
        "?outdated=true&q=debian&sort=name&order=asc&limit=1",
        "?sort=colour",
        "?outdated=yes",
        "?cursor=bases:name:asc:a",
    ],
    "/api/v1/base": [
        "?ref=debian:9",
        "?ref=debian:9&outdated=true&limit=1",
        "?ref=cgr.dev/python:latest",
        "?ref=none",
        "",
        "?ref=debian:9&cursor=base-images:1",
    ],
    "/api/v1/disputes": ["", "?limit=0", "?registry=no", "?repository=no"],
    "/api/v1/storage": [
        "?ref=hub/acme/app",
        "?ref=hub/acme/app&tag=1",
        "?ref=hub/acme/app&tag=none",
        "?ref=hub/acme/no",
        "",
    ],
    "/api/v1/storage/project": [
        "?registry=hub",
        "?registry=hub&project=acme",
        "?registry=hub&project=ac",
        "?registry=no",
        "?registry=hub&project=A",
        "",
    ],
    "/api/v1/reclaim": [
        "?ref=hub/acme/app",
        "?ref=hub/acme/app&tag=1&tag=chart",
        "?ref=hub/acme/app&tag=none",
        "?ref=hub/acme/app&tag=a:b",
        "?ref=hub/acme/no",
        "",
    ],
    "/api/v1/traffic": [
        "",
        "?month=2026-03&limit=1",
        "?month=2026-13",
        "?cursor=x",
        "?registry=no",
        "?registry=hub&repository=acme/no",
    ],
    "/api/v1/costs": [
        "",
        "?per=repository&limit=1",
        "?per=nobody",
        "?month=soon",
        "?cursor=x",
        "?registry=no",
    ],
    "/api/v1/headroom": ["", "?limit=0", "?registry=no"],
    "/api/v1/notifications": ["", "?limit=1"],
    "/api/v1/limits": ["?ref=hub/acme/app:1", "", "?ref=no.example/no"],
    "/api/v1/crawls": ["", "?limit=ten", "?registry=no", "?repository=no"],
    CRAWLS: ["1", "1?x=1", "4711", "x"],
    "/api/v1/search": ["?q=a", "?q="],
    "/api/v1/simulation": [
        "?max_compressed=3kB",
        "?max_compressed=400",
        "",
        "?max_compressed=1MB&registry=no",
    ],
    "/api/v1/violations": [
        "",
        "?state=all",
        "?severity=dire",
        "?registry=no",
        "?team=none",
    ],
    "/api/v1/waivers": ["", "?all=true", "?all=1"],
}
"""What is asked of each route, for each status at least once."""


class Failing(Database):
    """A database that stops answering."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_failing = True

    @contextmanager
    def read(self) -> Iterator[Connection]:
        if self.is_failing:
            raise StoreError("the disk is gone", code="io_error")
        with self._database.read() as connection:
            yield connection


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Of tests that only read."""
    with a_database(tmp_path_factory.mktemp("openapi")) as opened:
        yield opened


@pytest.fixture(scope="module")
def filled(database: Database) -> World:
    """Every kind of row, and every kind of thing that a tag may name."""
    world = World(database)
    image = an_image(some_layers(4000, 96))
    odd = an_image(
        some_layers(7000, name="odd"),
        lines=[Line("RUN a", None, None), Line("(line unknown)", None, 0)],
    )
    odd = replace(odd, history_alignment="unresolved")
    sbom = an_artifact_of(a_layer("sbom", 17_800))
    others = [Child(Descriptor(sbom.media_type, sbom.digest, 500), sbom.role)]
    world.keep(image, sbom)
    world.crawl(
        {
            "1": an_index_of(image, others=others),
            "chart": an_artifact_of(a_layer("chart", 700), role="artifact"),
            "odd": odd,
        },
        pushed_at=T0,
    )
    measure = Uncompressed("estimate", 9000, 8000, 20_000, "multi_member")
    with world.database.write() as connection:
        sizes = {image.layers[0].digest: measure}
        keep_sizes(connection, world.scope_id, sizes, world.now)
    # One of them is not as long as its manifest says.
    disputed = {image.layers[1].digest: MeasuredBlob(7, measure)}
    answer(world.database, world.scope_id, disputed, world.now)
    with world.database.write() as connection:
        site = Site(an_entry("hub"), Scope())
        ask(connection, site, ["acme/app"], measures=True, now=world.now)
    known = KnownBases(world.database, world.now)
    known.base("debian", "library/debian:9", compressed_bytes=4000)
    known.stands_on(image.digest, "debian")
    known.stands_on(odd.digest, None, reference="cgr.dev/python:latest")
    refresh_base_summaries(world.database, world.now)
    world.crawl(result=a_result(complete=False, state="partial", reason="bad_tls"))
    return world


def address(path: str, rest: str) -> str:
    start, braced, _ = path.partition("{")
    return (start if braced else path) + rest


def documented(client: TestClient) -> dict[str, dict[str, object]]:
    """The operation of each path that reads."""
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    return {path: each["get"] for path, each in paths.items() if "get" in each}


def writes(client: TestClient) -> dict[tuple[str, str], dict[str, object]]:
    """The operations that change something, by method and path."""
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    return {
        (method.upper(), path): operation
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method != "get"
    }


def responses_of(client: TestClient, path: str) -> dict[str, dict[str, object]]:
    responses = documented(client)[path]["responses"]
    assert isinstance(responses, dict)
    return responses


def test_the_document_names_every_route_of_the_api(
    database: Database, client: TestClient
) -> None:
    described = "/api/v1/openapi.json"
    served = {
        (method, path)
        for route in create_app(database, Telemetry(), WebOptions()).routes
        if (path := template_of(route)).startswith("/api/")
        for method in methods_of(route)
    }

    reads = {("GET", path) for path in documented(client)}

    assert {path for _, path in reads} == ASKED.keys()
    assert served == {*reads, *writes(client), ("GET", described)}
    assert not [each for each in ROUTES if each.answer and ("/api/" not in each.path)]


@pytest.mark.parametrize("path", ASKED)
def test_every_status_that_is_documented_is_answered_and_no_other(
    filled: World, client: TestClient, path: str
) -> None:
    failing = create_app(Failing(filled.database), Telemetry(), WebOptions())
    broken = TestClient(failing, base_url="http://127.0.0.1:8080")
    good = address(path, ASKED[path][0])
    etag = client.get(good).headers["etag"]
    answers = [client.get(address(path, rest)) for rest in ASKED[path]]
    answers += [
        client.get(good, headers={"if-none-match": etag}),
        client.get(good, headers={"host": "evil.example"}),
        broken.get(good),
    ]

    seen = {str(answer.status_code) for answer in answers}

    assert seen == responses_of(client, path).keys()


@pytest.mark.parametrize("path", ASKED)
def test_every_answer_is_of_its_schema(
    filled: World, client: TestClient, path: str
) -> None:
    document = client.get("/api/v1/openapi.json").json()
    responses = document["paths"][path]["get"]["responses"]

    for rest in ASKED[path]:
        answer = client.get(address(path, rest))
        schema = responses[str(answer.status_code)]["content"]["application/json"]

        assert misfits(answer.json(), schema["schema"], document) == [], rest


def test_every_error_has_the_one_shape(client: TestClient) -> None:
    operations = documented(client)

    shapes = {
        json.dumps(response["content"])
        for operation in (*operations.values(), *writes(client).values())
        for status, response in responses_of_operation(operation)
        if status not in ("200", "201", "202", "304")
    }

    (shape,) = shapes
    assert "#/components/schemas/Error" in shape


def responses_of_operation(
    operation: Mapping[str, object],
) -> list[tuple[str, dict[str, object]]]:
    responses = operation["responses"]
    assert isinstance(responses, dict)
    return list(responses.items())


def test_every_parameter_is_described_with_what_it_may_be(client: TestClient) -> None:
    operations = documented(client)

    found: dict[str, dict[str, object]] = {}
    sorts: dict[str, object] = {}
    for path, operation in operations.items():
        parameters = operation["parameters"]
        assert isinstance(parameters, list)
        for parameter in parameters:
            assert len(parameter["description"].split()) > 2, parameter
            found[parameter["name"]] = parameter["schema"]
            if parameter["name"] == "sort":
                schema = parameter["schema"]
                sorts[path] = (schema["default"], schema["enum"])

    types = {str(schema["type"]) for schema in found.values()}
    assert types == {"string", "integer", "boolean", "array"}
    limit = found["limit"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 1000, 100)
    assert found["order"]["enum"] == ["asc", "desc"]
    assert found["order"]["default"] == "desc"
    assert sorts == {
        "/api/v1/repositories": ("compressed", sorted(SORTS)),
        "/api/v1/bases": ("weighed", sorted(BASE_SORTS)),
    }
    assert found["crawl_id"]["pattern"] == "^[0-9]{1,18}$"


def test_every_reference_leads_to_a_schema_and_every_schema_is_used(
    client: TestClient,
) -> None:
    document = client.get("/api/v1/openapi.json").json()

    components = document["components"]["schemas"]
    text = json.dumps(document)
    for name in components:
        assert f'"#/components/schemas/{name}"' in text
    assert text.count('"$ref": "#/components/schemas/') == text.count('"$ref"')
    named = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named == components.keys()


def test_a_service_that_takes_every_host_does_not_document_421(
    database: Database,
) -> None:
    options = WebOptions(bind="0.0.0.0:8080", anonymous_read=True)
    app = create_app(database, Telemetry(), options, now=lambda: NOW)
    client = TestClient(app, base_url="http://weighbridge.example")

    assert "421" not in responses_of(client, "/api/v1/registries")


def test_a_service_that_asks_for_tokens_documents_them(database: Database) -> None:
    token = a_token(database, "read", NOW)
    app = create_app(
        database, Telemetry(), WebOptions(bind="0.0.0.0:8080"), now=lambda: NOW
    )
    client = TestClient(app, base_url="http://weighbridge.example")
    client.headers.update(bearer(token))

    document = client.get("/api/v1/openapi.json").json()

    assert document["components"]["securitySchemes"].keys() == {"bearer", "basic"}
    assert document["security"] == [{"bearer": []}, {"basic": []}]
    assert {"401", "403"} <= responses_of(client, "/api/v1/registries").keys()


def test_a_service_that_asks_for_none_documents_none(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()

    assert "security" not in document
    assert not {"401", "403"} & responses_of(client, "/api/v1/registries").keys()


def test_the_document_is_read_like_everything_else(client: TestClient) -> None:
    first = client.get("/api/v1/openapi.json")
    sent = {"if-none-match": first.headers["etag"]}

    assert first.json()["openapi"].startswith("3.")
    assert client.get("/api/v1/openapi.json", headers=sent).status_code == 304
