"""`/metrics` and `/metrics/repositories` as Prometheus and its linter read them."""

import gzip

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from support.images import an_image, some_layers
from support.promtool import promtool
from support.read_model import NOW
from support.store_world import World
from support.web_app import create_app
from weighbridge import __version__
from weighbridge.store.registries.registry_rows import mark_unconfigured
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions


def a_client(database: Database, telemetry: Telemetry) -> TestClient:
    app = create_app(database, telemetry, WebOptions(), now=lambda: NOW)
    return TestClient(app, base_url="http://127.0.0.1:8080")


@pytest.mark.parametrize("path", ["/metrics", "/metrics/repositories"])
def test_promtool_finds_nothing_to_say(world: World, path: str) -> None:
    telemetry = Telemetry()
    telemetry.begin_registry("hub")
    telemetry.registry_requests.labels("hub", "catalog", "2xx").inc()
    world.crawl({"1": an_image(some_layers(4000))})
    client = a_client(world.database, telemetry)

    body = client.get(path).content

    assert body
    assert promtool(body) == ""


def test_the_content_type_is_the_one_that_prometheus_needs(client: TestClient) -> None:
    for path in ("/metrics", "/metrics/repositories"):
        answer = client.get(path)

        assert answer.headers["content-type"] == (
            "text/plain; version=0.0.4; charset=utf-8"
        )


def test_openmetrics_is_spoken_where_it_is_asked_for(client: TestClient) -> None:
    answer = client.get("/metrics", headers={"accept": "application/openmetrics-text"})

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert "\nweighbridge_build_info{" in answer.text
    assert answer.text.endswith("\n# EOF\n")


def test_an_accept_line_without_sense_is_answered_all_the_same(
    client: TestClient,
) -> None:
    accept = (
        "application/openmetrics-text;version=x.y;escaping=zzz,text/plain;version=?"
    )

    answer = client.get("/metrics", headers={"accept": accept})

    assert answer.status_code == 200


def test_a_pushed_image_shows_with_its_bytes(world: World, client: TestClient) -> None:
    world.crawl({"1": an_image(some_layers(4000, 96))})

    samples = {
        (sample.name, sample.labels.get("repository")): sample.value
        for family in text_string_to_metric_families(
            client.get("/metrics/repositories").text
        )
        for sample in family.samples
    }

    name = "weighbridge_repository_newest_image_compressed_bytes"
    assert samples[name, "acme/app"] == 4096
    assert samples["weighbridge_exporter_repositories_exposed", None] == 1


def test_one_registry_can_be_asked_for(world: World, client: TestClient) -> None:
    world.crawl({"1": an_image(some_layers(4000))})

    known = client.get("/metrics/repositories?registry=hub")
    unknown = client.get("/metrics/repositories?registry=elsewhere")

    assert 'registry="hub"' in known.text
    assert unknown.status_code == 404
    assert unknown.json()["error"]["code"] == "registry_not_found"


def test_the_inventory_comes_compressed_where_it_may(
    world: World, client: TestClient
) -> None:
    world.crawl({"1": an_image(some_layers(4000))})
    path = "/metrics/repositories"

    plain = client.get(path, headers={"accept-encoding": "identity"})
    with client.stream("GET", path, headers={"accept-encoding": "gzip"}) as zipped:
        raw = b"".join(zipped.iter_raw())

    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content


def test_the_release_and_the_freshness_of_crawls_are_told(
    world: World, client: TestClient
) -> None:
    world.crawl({"1": an_image(some_layers(4000))})

    text = client.get("/metrics").text

    assert f'weighbridge_build_info{{revision="",version="{__version__}"}} 1.0' in text
    assert 'weighbridge_crawl_interval_seconds{registry="hub"} 3600.0' in text
    assert 'weighbridge_crawl_last_success_timestamp_seconds{registry="hub"}' in text
    assert "weighbridge_exporter_collect_errors 0.0" in text


def test_a_registry_that_is_not_configured_is_not_measured(
    world: World, client: TestClient
) -> None:
    world.crawl({"1": an_image(some_layers(4000))})
    with world.database.write() as connection:
        mark_unconfigured(connection, [], NOW)

    process = client.get("/metrics").text
    inventory = client.get("/metrics/repositories").text
    part = client.get("/metrics/repositories?registry=hub")

    assert 'registry="hub"' not in process + inventory
    assert part.status_code == 404
    assert part.json()["error"]["code"] == "registry_not_found"


def test_no_series_is_on_both_endpoints(world: World, client: TestClient) -> None:
    world.crawl({"1": an_image(some_layers(4000))})

    names = [
        {family.name for family in text_string_to_metric_families(client.get(p).text)}
        for p in ("/metrics", "/metrics/repositories")
    ]

    assert names[0] & names[1] == set()


def test_requests_are_counted_by_route_and_never_by_path(client: TestClient) -> None:
    client.get("/api/v1/crawls/41")
    client.get("/api/v1/crawls/42")
    client.get("/no/such/place")

    text = client.get("/metrics").text

    requests = "weighbridge_http_requests_total"
    route = "/api/v1/crawls/{crawl_id}"
    assert f'{requests}{{code="404",method="GET",route="{route}"}} 2.0' in text
    assert f'{requests}{{code="404",method="GET",route="other"}} 1.0' in text
    assert "/no/such/place" not in text
