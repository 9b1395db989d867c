"""The web application: which address leads to what."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from fastapi import Depends, FastAPI
from msgspec import Struct
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from weighbridge import __version__
from weighbridge.store.access.tokens import has_valid_token
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.access.decision import AccessRules
from weighbridge.web.access.known_tokens import KnownTokens
from weighbridge.web.access.middleware import AccessMiddleware
from weighbridge.web.api.crawl_requests import CrawlRequests
from weighbridge.web.api.headroom import Headrooms
from weighbridge.web.api.image_limits import LimitRoutes
from weighbridge.web.api.read_routes import API, Notifications
from weighbridge.web.api.simulation import Simulations
from weighbridge.web.api.waivers import Waivers
from weighbridge.web.health.checks import Health
from weighbridge.web.health.write_watch import WriteWatch
from weighbridge.web.metrics.probe import Probing
from weighbridge.web.metrics.scrape import Metrics
from weighbridge.web.metrics.snapshot import SnapshotKeeper
from weighbridge.web.options import WebOptions, check_reach
from weighbridge.web.pages.report_pages import Pages, Twins
from weighbridge.web.pages.violation_pages import ViolationPages
from weighbridge.web.request.errors import add_error_handlers
from weighbridge.web.request.finding import Finder
from weighbridge.web.request.parameters import only_known_parameters
from weighbridge.web.request.threads import Handler, Threads
from weighbridge.web.routes.openapi import ANSWERS, PATH, WRITE_ANSWERS, Description
from weighbridge.web.webhooks.hooks import NOBODY, Hooks, Reception
from weighbridge.web.webhooks.inbox import Inbox
from weighbridge.web.webhooks.receiver import WebhookReceiver

STATIC: Final = Path(__file__).parent.parent / "static"
_STOPPING_S: Final = 2.0
"""A thread that still waits for the database then is left to the process's end."""

_Lifespan: TypeAlias = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Apps(Struct, frozen=True):
    """What is served; `metrics` on a listener of its own, None without one.

    `web` brings both up to date while it is served, so it has to be.
    """

    web: FastAPI
    metrics: FastAPI | None


class _Shared(Struct, frozen=True):
    """What the apps of one process have in common."""

    database: Database
    threads: Threads
    telemetry: Telemetry
    keeper: SnapshotKeeper
    tokens: KnownTokens
    inbox: Inbox
    writes: WriteWatch


def create_app(
    database: Database,
    telemetry: Telemetry,
    options: WebOptions,
    reception: Reception = NOBODY,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """The application without a listener for metrics, see `create_apps`."""
    return create_apps(
        database, telemetry, options, reception, now=now, clock=clock
    ).web


def create_apps(
    database: Database,
    telemetry: Telemetry,
    options: WebOptions,
    reception: Reception = NOBODY,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    clock: Callable[[], float] = time.monotonic,
) -> Apps:
    """The applications over an open database. They write waivers, what webhooks tell,
    what is asked to be crawled, and when a token was last used.

    reception:  the webhooks that are taken
    now, clock: the wall and the monotonic clock, for tests.
    Raises UsageError(no_token) if others can reach it and nobody could use it.
    Serve them without uvicorn's `proxy_headers`: forwarded headers are not believed.
    """
    check_reach(options, lambda: has_valid_token(database, now()))
    telemetry.build_info.labels(__version__, "").set(1)
    keeper = SnapshotKeeper(
        database,
        options.budget,
        policies=options.policies,
        clock=clock,
        wall=lambda: now().timestamp(),
    )
    tokens = KnownTokens(database, now, clock)
    inbox = Inbox(database, reception.jobs, now, reception.answer_s)
    writes = WriteWatch(database, now)
    telemetry.db_up.set_function(lambda: float(writes.is_up))
    threads = Threads()
    shared = _Shared(database, threads, telemetry, keeper, tokens, inbox, writes)
    web = _web_app(shared, options, now)
    requests = CrawlRequests(
        database,
        options.due_clock or now,
        threads,
        options.find_target,
        reception.jobs,
    )
    _add_crawl_requests(web, requests)
    hooks = Hooks(reception.hooks)
    receiver = WebhookReceiver(
        hooks,
        inbox,
        telemetry,
        tokens,
        reception.read_s,
        options.trusted_proxies,
        threads=threads,
    )
    _add_webhooks(web, receiver)
    if options.of_metrics is None:
        metrics = Metrics(telemetry, keeper, threads)
        _add_metrics(web, metrics, Probing(options.prober))
        return Apps(web, None)
    return Apps(web, _metrics_app(shared, options.of_metrics))


def _web_app(
    shared: _Shared, options: WebOptions, now: Callable[[], datetime]
) -> FastAPI:
    database = shared.database
    app = _empty_app(shared, options, _watching(shared))
    _add_health(app, _health(shared, options))
    finder = Finder(database, options.platforms)
    api = API(database, finder, now, options.policies)
    _add_api(app, api, Description(app, options))
    _add_waivers(app, Waivers(database, now, shared.threads))
    told = Notifications(database)
    _get(app, "/api/v1/notifications", told.notifications, tag="api")
    limits = LimitRoutes(database, options.platforms, now, options.policies)
    _get(app, "/api/v1/limits", limits.limits, tag="api")
    rooms = Headrooms(database, now, options.policies)
    _get(app, "/api/v1/headroom", rooms.headroom, tag="api")
    _get(app, "/api/v1/simulation", Simulations(database).simulation, tag="api")
    _add_pages(app, Pages(database, finder, now), Twins(finder, now))
    _add_violations(app, ViolationPages(database, finder, now, options.policies))
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


def _metrics_app(shared: _Shared, options: WebOptions) -> FastAPI:
    """`/metrics*`, `/probe` and `/healthz`, and nothing else."""
    app = _empty_app(shared, options, None)
    _get(app, "/healthz", _health(shared, options).healthz, tag="health")
    metrics = Metrics(shared.telemetry, shared.keeper, shared.threads)
    _add_metrics(app, metrics, Probing(options.prober))
    return app


def _health(shared: _Shared, options: WebOptions) -> Health:
    return Health(shared.database, shared.writes, options, shared.threads)


def _empty_app(
    shared: _Shared, options: WebOptions, lifespan: _Lifespan | None
) -> FastAPI:
    app = FastAPI(
        title="Weighbridge",
        version=__version__,
        openapi_url=None,  # `openapi.Description` says what is really answered
        docs_url=None,  # both kinds of docs pages load scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,  # the redirect would be built from the Host header
        dependencies=[Depends(only_known_parameters)],
        lifespan=lifespan,
    )
    app.state.failed_since = options.failed_since  # for every page, see `pages`
    app.state.threads = shared.threads  # for every route, see `_get`
    add_error_handlers(app)
    access = AccessRules(options, shared.tokens, shared.threads)
    app.add_middleware(AccessMiddleware, access=access, telemetry=shared.telemetry)
    return app


def _watching(shared: _Shared) -> _Lifespan:
    """While the app is served, threads render, read the tokens, and see whether the
    database takes writes, so that no scrape has to wait."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        stop = threading.Event()
        threads = [
            threading.Thread(target=watch, args=(stop,), name=name, daemon=True)
            for name, watch in (
                ("snapshot", shared.keeper.watch),
                ("tokens", shared.tokens.watch),
                ("writes", shared.writes.watch),
            )
        ]
        for thread in threads:
            thread.start()
        yield
        stop.set()
        shared.keeper.wake()
        for thread in threads:
            await asyncio.to_thread(thread.join, _STOPPING_S)
        await asyncio.to_thread(shared.inbox.close)

    return lifespan


def _get(
    app: FastAPI,
    path: str,
    handler: Handler,
    *,
    tag: str,
) -> None:
    app.add_api_route(
        path,
        app.state.threads.answering(handler),
        methods=["GET"],
        tags=[tag],
        operation_id=handler.__name__,
        include_in_schema=path in ANSWERS,
    )


def _write(
    app: FastAPI,
    method: str,
    path: str,
    handler: Handler,
) -> None:
    """A route that changes something; what it reads of a body it checks itself."""
    app.add_api_route(
        path,
        app.state.threads.answering(handler),
        methods=[method],
        tags=["api"],
        operation_id=handler.__name__,
        include_in_schema=(method, path) in WRITE_ANSWERS,
    )


def _add_webhooks(app: FastAPI, receiver: WebhookReceiver) -> None:
    """First of all routes, and without what FastAPI does for others: thousands may
    come in a second."""
    for path in ("/webhooks/{source}", "/webhooks/{source}/{secret}"):
        app.router.routes.insert(0, Route(path, receiver, methods=["POST"]))


def _add_health(app: FastAPI, health: Health) -> None:
    _get(app, "/healthz", health.healthz, tag="health")
    _get(app, "/readyz", health.readyz, tag="health")


def _add_metrics(app: FastAPI, metrics: Metrics, probing: Probing) -> None:
    _get(app, "/metrics", metrics.process, tag="metrics")
    _get(app, "/metrics/repositories", metrics.repositories, tag="metrics")
    _get(app, "/probe", probing.probe, tag="metrics")


def _add_waivers(app: FastAPI, waivers: Waivers) -> None:
    _get(app, "/api/v1/waivers", waivers.waivers, tag="api")
    _write(app, "POST", "/api/v1/waivers", waivers.create_waiver)
    _write(app, "DELETE", "/api/v1/waivers/{waiver_id}", waivers.revoke_waiver)


def _add_crawl_requests(app: FastAPI, requests: CrawlRequests) -> None:
    _write(app, "POST", "/api/v1/crawls", requests.ask_for_crawl)
    one = "/api/v1/crawl-requests/{request_id}"
    _get(app, one, requests.crawl_request, tag="api")


def _add_api(app: FastAPI, api: API, description: Description) -> None:
    _get(app, PATH, description.openapi, tag="api")
    _get(app, "/api/v1/registries", api.registries, tag="api")
    _get(app, "/api/v1/repositories", api.repositories, tag="api")
    _get(app, "/api/v1/repository", api.repository, tag="api")
    _get(app, "/api/v1/tags", api.tags, tag="api")
    _get(app, "/api/v1/image", api.image, tag="api")
    _get(app, "/api/v1/crawls", api.crawls, tag="api")
    _get(app, "/api/v1/crawls/{crawl_id}", api.one_crawl, tag="api")
    _get(app, "/api/v1/search", api.search, tag="api")
    _get(app, "/api/v1/violations", api.violations, tag="api")
    _get(app, "/api/v1/disputes", api.disputes, tag="api")


def _add_pages(app: FastAPI, pages: Pages, twins: Twins) -> None:
    _get(app, "/", pages.overview, tag="pages")
    _get(app, "/repositories.json", twins.repositories_json, tag="pages")
    _get(app, "/repositories.csv", twins.repositories_csv, tag="pages")
    _get(app, "/repository", pages.repository, tag="pages")
    _get(app, "/repository.json", twins.repository_json, tag="pages")
    _get(app, "/repository.csv", twins.repository_csv, tag="pages")
    _get(app, "/image", pages.image, tag="pages")
    _get(app, "/image.json", twins.image_json, tag="pages")
    _get(app, "/image.csv", twins.image_csv, tag="pages")
    _get(app, "/crawls", pages.crawls, tag="pages")
    _get(app, "/crawls.json", twins.crawls_json, tag="pages")
    _get(app, "/crawls.csv", twins.crawls_csv, tag="pages")
    _get(app, "/search", pages.search, tag="pages")


def _add_violations(app: FastAPI, pages: ViolationPages) -> None:
    _get(app, "/violations", pages.violations_page, tag="pages")
    _get(app, "/violations.json", pages.violations_json, tag="pages")
    _get(app, "/violations.csv", pages.violations_csv, tag="pages")
