"""Attempts to learn of another team's repositories, by every route and in every form.

Two services are asked: one where others have repositories, and one where they never
had any. What a team gets of both has to be the same, byte for byte: status, headers and
text; so do counts, orders, cursors, nearest names and ETags, whatever is asked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_network
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlencode

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from support.database import Engine, a_database
from support.disputed_sizes import claim_wrongly
from support.images import a_layer, an_image
from support.known_bases import KnownBases
from support.read_model import NOW
from support.store_world import World
from support.teams import team_policies
from support.tokens import a_token, bearer
from support.violations import Violations
from support.web_app import create_app
from weighbridge.domain.access.sign_in import SignInProxy
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.store.crawls.crawl_requests import put_request
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.reports.bases import BASE_SORTS
from weighbridge.store.reports.repositories import SORTS
from weighbridge.store.session import Database
from weighbridge.store.traffic.pull_counts import note_pulls
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.request.parameters import RouteRow
from weighbridge.web.routes.app import ROUTES

pytestmark = pytest.mark.slow

POLICIES = team_policies({"shop/*": "shop", "web/*": "web"})
OPTIONS = WebOptions(
    bind="0.0.0.0:8080",
    trusted_proxies=(ip_network("10.0.0.7/32"),),
    auth_proxy=SignInProxy("x-user", "x-groups", frozenset({"ops"})),
    policies=lambda: POLICIES,
)
OTHERS: Final = (("hub", "web/a"), ("hub", "nobody/a"), ("near", "web/b"))
ON: Final = {"web/a": "old", "nobody/a": "library/webbase:1", "web/b": None}
"""On which build their latest images stand; None: only an annotation says so."""
HELD: Final = an_image([a_layer("of others", 7000)])
"""What only they have."""


class Service(NamedTuple):
    """ids: of crawls and of requests to crawl, of others alone"""

    client: TestClient
    admin: Mapping[str, str]
    known: KnownBases
    ids: Sequence[int] = ()


class Pair(NamedTuple):
    """A service with repositories of others, and the same without them."""

    shared: Service
    alone: Service
    shop: Mapping[str, str]
    in_group: Mapping[str, str]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Pair]:
    folders = [tmp_path_factory.mktemp(name) for name in ("shared", "alone")]
    with (
        a_database(folders[0], engine) as shared,
        a_database(folders[1], engine) as alone,
    ):
        shop = bearer(a_token(shared, "read", NOW, teams=frozenset({"shop"})))
        a_token(alone, "read", NOW, teams=frozenset({"shop"}))
        in_group = {"x-user": "alice@example.org", "x-groups": "shop,everyone"}
        own, without = a_service(shared, shop), a_service(alone, shop)
        yield Pair(own._replace(ids=others(shared, own.known)), without, shop, in_group)


def a_service(database: Database, shop: Mapping[str, str]) -> Service:
    """With two repositories of the team, a violation and a request of theirs."""
    made = Violations(database, NOW)
    for name in ("shop/a", "shop/b"):
        world = World(database, repository=name)
        world.crawl(
            {"1": an_image([a_layer(name, 1000)]), "2": an_image([a_layer(name, 500)])}
        )
        world.crawl({"1": an_image([a_layer(name, 1500)])})
        pulls_of(world, 100)
        claim_wrongly(world, NOW)
        made.open(world.repository_id)
    ask_for_crawl(database, world.registry_id, ["shop/a"])
    known = known_bases(database)
    for name in ("shop/a", "shop/b"):
        known.stands_on(an_image([a_layer(name, 1500)]).digest, "python")
    refresh_base_summaries(database, NOW)
    app = create_app(database, Telemetry(), OPTIONS, now=lambda: NOW)
    client = TestClient(
        app, base_url="http://weighbridge.example", client=("10.0.0.7", 4711)
    )
    return Service(client, bearer(a_token(database, "admin", NOW)), known)


def known_bases(database: Database) -> KnownBases:
    """What the configuration names is known to both services."""
    known = KnownBases(database, NOW)
    python = "library/python:3"
    known.base("slim", f"{python}-slim", compressed_bytes=200)
    known.base("python", python, compressed_bytes=500)
    known.base("old", python, compressed_bytes=490, left_at={python: NOW})
    for name in ("library/webbase:1", "library/python:30"):
        known.base(name, name, compressed_bytes=300)
    return known


def others(database: Database, known: KnownBases) -> Sequence[int]:
    """What a team must not learn of; lately, in larger numbers, and heavier."""
    made = Violations(database, NOW)
    asked: list[int] = []
    for registry, name in OTHERS:
        world = World(
            database,
            registry=registry,
            repository=name,
            now=NOW,
            url="https://hub.example",
        )
        world.crawl({"1": HELD, "web-tag": HELD})
        latest = an_image([a_layer(name, 9000)])
        world.crawl({"latest": latest})
        pulls_of(world, 9_000)
        claim_wrongly(world, NOW)
        known.stands_on(latest.digest, ON[name], reference="nobody/knows:1")
        made.open(world.repository_id)
        asked += [
            ask_for_crawl(database, world.registry_id, names)
            for names in ([name], None)
        ]
    known.stands_on(HELD.digest, "python")
    refresh_base_summaries(database, NOW)
    return [*asked, *range(5, 5 + 2 * len(OTHERS))]


def pulls_of(world: World, pulls: int) -> None:
    with world.database.write() as connection:
        for count, days in ((1, 1), (pulls, 0)):
            told = {world.repository: PullCount(count)}
            at = NOW - timedelta(days=days)
            note_pulls(connection, world.registry_id, told, at)


def ask_for_crawl(database: Database, registry: int, names: list[str] | None) -> int:
    with database.write() as connection:
        return put_request(
            connection,
            registry,
            names,
            measures=True,
            now=NOW,
            owner=None,
            lease_s=60,
            resume_s=60,
        ).id


REF: Final = ("ref={ref}",)
LIST: Final = (
    "",
    "limit=1",
    "registry={registry}",
    "registry={registry}&limit=1",
    "team=web",
    "team=",
)
OF_REPOSITORY: Final = (
    "repository={name}",
    "registry={registry}&repository={name}",
)
SORTED: Final = (
    "q=web",
    "q=b",
    "q={name}",
    "violating=true",
    "violating=false",
    *(f"sort={by}&order={order}" for by in SORTS for order in ("asc", "desc")),
)
COMPARED: Final = (
    "a={ref}:1&b=hub/shop/a:1",
    "a=hub/shop/a:1&b={ref}:1",
    "a=hub/shop/a:1&b=hub/shop/b:1&c={ref}:1",
    "a=hub/shop/a:1&b=hub/shop/a@{digest}",
)
IMAGE: Final = (
    "ref={ref}:1",
    "ref={ref}:web-tag",
    "ref={ref}@{digest}",
    "ref=hub/shop/a@{digest}",
    "ref={ref}:1&platform=linux/amd64",
)
SEARCHED: Final = ("q=web", "q=a", "q={name}", "q=web-tag", "q=latest", "q=a&team=web")
MONTHS: Final = (
    "",
    "limit=1",
    "team=web",
    "month=2026-09",
    "registry={registry}",
    *OF_REPOSITORY,
)
BASES: Final = (
    "",
    "limit=1",
    "q=web",
    "q=python&limit=1",
    "outdated=true",
    "outdated=false",
    "team=web",
    *(f"sort={by}&order={order}" for by in BASE_SORTS for order in ("asc", "desc")),
)
ONE_BASE: Final = (
    *REF,
    "ref=library/webbase:1",
    "ref=webbase",
    "ref=nobody/knows:1",
    "ref=python:3",
    "ref=python:3&limit=1",
    "ref=python:3&outdated=true",
    "ref=python:33",
)

ASKED: Final[Mapping[str, Sequence[str]]] = {
    "/": (*LIST, *SORTED),
    "/api/v1/base": ONE_BASE,
    "/api/v1/bases": BASES,
    "/api/v1/compare": COMPARED,
    "/api/v1/costs": ("", "registry={registry}", "per=repository", "per=team"),
    "/api/v1/crawl-requests/{request_id}": ("",),
    "/api/v1/crawls": (*LIST, *OF_REPOSITORY),
    "/api/v1/crawls/{crawl_id}": ("",),
    "/api/v1/disputes": (*LIST, *OF_REPOSITORY),
    "/api/v1/headroom": ("", "registry={registry}"),
    "/api/v1/history": (*REF, "ref={ref}:1", "ref={ref}:web-tag", "ref={ref}&since=9d"),
    "/api/v1/image": IMAGE,
    "/api/v1/known-bases": (f"chains={'a' * 64}",),
    "/api/v1/limits": ("ref={ref}", "ref={ref}:1"),
    "/api/v1/notifications": ("",),
    "/api/v1/openapi.json": ("",),
    "/api/v1/reclaim": (*REF, "ref={ref}&tag=1", "ref=hub/shop/a&tag=web-tag"),
    "/api/v1/registries": ("", "team=web", "team="),
    "/api/v1/repositories": (*LIST, *SORTED),
    "/api/v1/repository": REF,
    "/api/v1/search": SEARCHED,
    "/api/v1/simulation": ("max_compressed=1MB", "max_compressed=1MB&registry=near"),
    "/api/v1/storage": (*REF, "ref={ref}&tag=1"),
    "/api/v1/storage/project": ("registry={registry}&project=web",),
    "/api/v1/tags": (*REF, "ref={ref}&limit=1"),
    "/api/v1/traffic": MONTHS,
    "/api/v1/violations": (*LIST, *OF_REPOSITORY, "state=all", "all_tags=true"),
    "/api/v1/waivers": ("", "all=true"),
    "/base": ONE_BASE,
    "/base.csv": ONE_BASE,
    "/base.json": ONE_BASE,
    "/bases": BASES,
    "/bases.csv": BASES,
    "/bases.json": BASES,
    "/compare": COMPARED,
    "/compare.csv": COMPARED,
    "/compare.json": COMPARED,
    "/crawls": ("", "limit=1", "team=web"),
    "/crawls.csv": ("", "limit=1", "team=web"),
    "/crawls.json": ("", "limit=1", "team=web"),
    "/image": IMAGE,
    "/image.csv": IMAGE,
    "/image.json": IMAGE,
    "/repositories.csv": (*LIST, *SORTED),
    "/repositories.json": (*LIST, *SORTED),
    "/repository": (*REF, "ref={ref}&tag=web*", "ref={ref}&show=uncompressed"),
    "/repository.csv": REF,
    "/repository.json": REF,
    "/search": SEARCHED,
    "/violations": (*LIST, *OF_REPOSITORY),
    "/violations.csv": (*LIST, *OF_REPOSITORY),
    "/violations.json": (*LIST, *OF_REPOSITORY),
    "/metrics": ("",),
    "/metrics/repositories": ("", "registry=hub", "registry=near"),
    "/probe": ("target=hub", "target=near"),
}
"""What is asked of each route that reads. `test_every_route_is_tried` fails where a new
one is not here."""
OPEN: Final = frozenset({"/healthz", "/readyz"})
"""They say nothing of repositories, and ask nobody who it is."""
READING: Final = [each for each in ROUTES if each.method == "GET"]
WRITING: Final = [
    each for each in ROUTES if each.method != "GET" and "webhooks" not in each.path
]


def test_every_route_is_tried() -> None:
    assert {each.path for each in READING} - OPEN == set(ASKED)


ATTEMPTS: Final = [(path, query) for path, asked in ASKED.items() for query in asked]


def paths_of(pair: Pair, path: str) -> list[str]:
    """With the number of each crawl and request of others, and of one that is none."""
    if "{" not in path:
        return [path]
    start = path.partition("{")[0]
    return [f"{start}{number}" for number in (*pair.shared.ids, 987654)]


def filled(query: str, registry: str, name: str) -> str:
    return query.format(
        ref=f"{registry}/{name}", registry=registry, name=name, digest=HELD.digest
    )


def same(pair: Pair, target: str, method: str = "GET", **headers: str) -> Response:
    """What the team gets where others are, which is what it gets where none are."""
    answers = [
        service.client.request(method, target, headers={**pair.shop, **headers})
        for service in (pair.shared, pair.alone)
    ]
    found, expected = answers
    assert found.status_code == expected.status_code, target
    assert found.text == expected.text, target
    assert dict(found.headers) == dict(expected.headers), target
    assert found.status_code < 500, target
    return found


@pytest.mark.parametrize(("path", "query"), ATTEMPTS)
def test_what_is_asked_tells_nothing_of_others(
    pair: Pair, path: str, query: str
) -> None:
    for registry, name in OTHERS:
        for each in paths_of(pair, path):
            same(pair, f"{each}?{filled(query, registry, name)}")


@pytest.mark.parametrize(("path", "query"), ATTEMPTS)
def test_neither_does_it_to_who_signed_in_with_a_group(
    pair: Pair, path: str, query: str
) -> None:
    person = pair._replace(shop=pair.in_group)

    for each in paths_of(pair, path):
        same(person, f"{each}?{filled(query, *OTHERS[0])}")


def forms(path: str, query: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The same question written otherwise: target, method, headers."""
    whole = f"{path}?{query}"
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    yield whole, "HEAD", {}
    yield f"{path}/?{query}", "GET", {}
    yield f"{path.upper()}?{query}", "GET", {}
    yield f"/{path}?{query}", "GET", {}
    yield f"{path}?{query.upper()}", "GET", {}
    yield f"{path}?{'&'.join(f'{k}={v.upper()}' for k, v in pairs)}", "GET", {}
    yield f"{path}?{'&'.join(f'{k.upper()}={v}' for k, v in pairs)}", "GET", {}
    yield f"{path}?{urlencode(pairs)}", "GET", {}
    yield f"{path}?{urlencode([(k, quote(v, safe='')) for k, v in pairs])}", "GET", {}
    yield f"{path}?{query}&{query}", "GET", {}
    yield f"{path}?{query}%20", "GET", {}
    yield f"{path}?{query}%00", "GET", {}
    yield f"{path}?{query}&unknown=web", "GET", {}
    yield whole, "GET", {"accept": "text/html"}
    yield whole, "GET", {"accept": "application/json"}
    yield whole, "POST", {}
    yield whole, "DELETE", {}
    yield whole, "OPTIONS", {}


@pytest.mark.parametrize("path", ASKED)
def test_no_other_way_to_write_it_does(pair: Pair, path: str) -> None:
    for query in (ASKED[path][0], ASKED[path][-1]):
        for each in paths_of(pair, path):
            for target, method, headers in forms(each, filled(query, *OTHERS[0])):
                same(pair, target, method, **headers)


@pytest.mark.parametrize("path", ASKED)
def test_the_etag_of_who_sees_all_is_no_answer(pair: Pair, path: str) -> None:
    """A 304 would say that it is there, and the same."""
    for query in ASKED[path]:
        target = f"{paths_of(pair, path)[0]}?{filled(query, *OTHERS[0])}"
        known = pair.shared.client.get(target, headers=pair.shared.admin)
        etag = known.headers.get("etag", '"none"')

        same(pair, target, **{"if-none-match": etag})


@pytest.mark.parametrize(
    "path", [path for path in ASKED if any("limit=1" in q for q in ASKED[path])]
)
def test_the_cursor_of_who_sees_all_leads_to_nothing_else(
    pair: Pair, path: str
) -> None:
    tried = 0
    for query in ASKED[path]:
        more = "&".join(filter(None, (query, "" if "limit" in query else "limit=1")))
        target = f"{path}?{filled(more, *OTHERS[0])}"
        cursor = after(pair.shared.client.get(target, headers=pair.shared.admin))
        if cursor is not None:
            tried += 1
            same(pair, f"{target}&cursor={cursor}")
    assert tried


def after(answer: Response) -> str | None:
    """Where its next page begins, as JSON, a table or a page says."""
    if "json" in answer.headers["content-type"]:
        cursor: str | None = answer.json().get("next_cursor")
        return cursor
    found = re.search(r"[?&;]cursor=([^\"&>]+)", answer.headers.get("link", ""))
    found = found or re.search(r"[?;]cursor=([^\"&]+)", answer.text)
    return unquote(found[1]) if found else None


@pytest.mark.parametrize("row", WRITING, ids=lambda row: f"{row.method} {row.path}")
def test_what_writes_is_refused_whatever_it_names(pair: Pair, row: RouteRow) -> None:
    for number in ("1", "2", "987654"):
        path = row.path.replace("{waiver_id}", number)
        for registry, name in OTHERS:
            answers = [
                service.client.request(
                    row.method,
                    path,
                    json={"target": f"{registry}/{name}"},
                    headers=dict(pair.shop),
                )
                for service in (pair.shared, pair.alone)
            ]

            assert [answer.status_code for answer in answers] == [403, 403]
            assert answers[0].text == answers[1].text


@pytest.mark.parametrize(
    "path",
    sorted(
        each.path
        for each in READING
        if each.for_teams
        and each.path not in ("/api/v1/openapi.json", "/api/v1/known-bases")
    ),
)
def test_who_sees_all_is_told_of_others(pair: Pair, path: str) -> None:
    """Else the attempts would try nothing."""
    told = [
        [
            service.client.get(f"{each}?{filled(query, *OTHERS[0])}", headers=headers)
            for service, headers in (
                (pair.shared, pair.shared.admin),
                (pair.alone, pair.alone.admin),
            )
        ]
        for query in ASKED[path]
        for each in paths_of(pair, path)
    ]

    assert any(shared.text != alone.text for shared, alone in told)


def test_what_a_team_is_shown_is_its_own(pair: Pair) -> None:
    """The attempts are those of who sees something."""
    bases = same(pair, "/api/v1/bases").json()["items"]
    shown = same(pair, "/api/v1/repositories?sort=name").json()["items"]

    assert [(row["reference"], row["images"]) for row in bases] == [
        ("library/python:3", 2)
    ]
    assert bases[0]["saved_bytes"] == 2 * 300

    assert [row["repository"] for row in shown] == ["shop/b", "shop/a"]
    assert same(pair, "/api/v1/search?q=shop").json()["items"]
    assert len(same(pair, "/api/v1/crawls").json()["items"]) == 4
