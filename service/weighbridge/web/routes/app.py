"""The web application: the table of routes (address, handler, who may ask, and what is
answered), and the apps that are made of it.

The rights and the API's description are made of the table too. A route that is not in
it is answered to nobody but admins.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.staticfiles import StaticFiles

from weighbridge import __version__
from weighbridge.store.access import has_valid_token
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.api.bases import BaseRoutes
from weighbridge.web.api.crawl_requests import CrawlRequests
from weighbridge.web.api.health import Health, WriteWatch
from weighbridge.web.api.limits import LimitRoutes
from weighbridge.web.api.read_routes import API
from weighbridge.web.api.reclaim import ReclaimRoutes
from weighbridge.web.api.traffic import TrafficRoutes
from weighbridge.web.api.waivers import Waivers
from weighbridge.web.metrics.reclaimable import ReclaimableKeeper
from weighbridge.web.metrics.scrape import Metrics, Probing
from weighbridge.web.metrics.snapshot import SnapshotKeeper
from weighbridge.web.options import WebOptions, check_reach
from weighbridge.web.pages.base_pages import BasePages
from weighbridge.web.pages.compare_pages import ComparePages
from weighbridge.web.pages.report_pages import Pages, Twins
from weighbridge.web.pages.violation_pages import ViolationPages
from weighbridge.web.request.access import (
    AccessMiddleware,
    AccessRules,
    KnownTokens,
    Rights,
)
from weighbridge.web.request.answers import add_error_handlers
from weighbridge.web.request.finding import Finder
from weighbridge.web.request.parameters import Method, RouteRow, bound_methods
from weighbridge.web.request.sight import Sights
from weighbridge.web.request.threads import Threads
from weighbridge.web.routes.openapi import Description
from weighbridge.web.webhooks.inbox import Inbox
from weighbridge.web.webhooks.receiver import NOBODY, Hooks, Reception, WebhookReceiver


def _read(path: str, handler: Method, answer: str = "", *not_found: str) -> RouteRow:
    return RouteRow(path, handler, "read", answer, not_found)


def _seen(path: str, handler: Method, answer: str = "", *not_found: str) -> RouteRow:
    """A route that shows a team its own repositories and no others."""
    return replace(_read(path, handler, answer, *not_found), for_teams=True)


_REGISTRY: Final = "registry_not_found"
_REPOSITORY: Final = "repository_not_found"
_HOOK: Final = RouteRow(
    "/webhooks/{source}",
    WebhookReceiver.__call__,
    "none",  # the secret is what opens it, see `web.webhooks`
    method="POST",
    any_host=True,
)

ROUTES: Final[tuple[RouteRow, ...]] = (
    # First of all: thousands may come in a second.
    _HOOK,
    replace(_HOOK, path="/webhooks/{source}/{secret}"),
    RouteRow("/healthz", Health.healthz, "none"),
    RouteRow("/readyz", Health.readyz, "none"),
    RouteRow("/metrics", Metrics.process, "metrics"),
    RouteRow("/metrics/repositories", Metrics.repositories, "metrics"),
    RouteRow("/probe", Probing.probe, "probe"),
    _seen("/api/v1/openapi.json", Description.openapi),
    _seen("/api/v1/registries", API.registries, "RegistryList"),
    _seen("/api/v1/repositories", API.repositories, "RepositoryList", _REGISTRY),
    _seen("/api/v1/repository", API.repository, "OneRepository", _REPOSITORY),
    _seen("/api/v1/tags", API.tags, "TagList", _REPOSITORY),
    _seen(
        "/api/v1/image", API.image, "ReferenceAnswer", _REPOSITORY, "image_not_found"
    ),
    _seen(
        "/api/v1/history", API.history, "HistoryAnswer", _REPOSITORY, "tag_not_found"
    ),
    _seen(
        "/api/v1/compare",
        API.compare,
        "ComparisonAnswer",
        _REPOSITORY,
        "image_not_found",
    ),
    _seen(
        "/api/v1/reclaim",
        ReclaimRoutes.reclaim,
        "ReclaimRow",
        _REPOSITORY,
        "tag_not_found",
    ),
    _seen(
        "/api/v1/storage",
        ReclaimRoutes.storage,
        "StorageRow",
        _REPOSITORY,
        "tag_not_found",
    ),
    _read(
        "/api/v1/storage/project",
        ReclaimRoutes.project_storage,
        "StorageRow",
        _REGISTRY,
        _REPOSITORY,
    ),
    _seen(
        "/api/v1/traffic", TrafficRoutes.traffic, "TrafficList", _REGISTRY, _REPOSITORY
    ),
    _read("/api/v1/costs", TrafficRoutes.costs, "CostsAnswer", _REGISTRY),
    _seen("/api/v1/bases", BaseRoutes.bases, "BaseList"),
    _seen("/api/v1/known-bases", BaseRoutes.known_bases, "KnownBaseList"),
    _seen("/api/v1/base", BaseRoutes.base, "OneBase", "base_not_found"),
    _seen("/api/v1/crawls", API.crawls, "CrawlList", _REGISTRY, _REPOSITORY),
    _seen("/api/v1/crawls/{crawl_id}", API.one_crawl, "Crawl", "crawl_not_found"),
    _seen("/api/v1/search", API.search, "SearchHitList"),
    _seen(
        "/api/v1/violations", API.violations, "ViolationList", _REGISTRY, _REPOSITORY
    ),
    _seen("/api/v1/disputes", API.disputes, "DisputeList", _REGISTRY, _REPOSITORY),
    _read("/api/v1/notifications", API.notifications, "ChannelList"),
    _read("/api/v1/limits", LimitRoutes.limits, "ImageLimits", _REGISTRY),
    _read("/api/v1/headroom", LimitRoutes.headroom, "HeadroomList", _REGISTRY),
    _read(
        "/api/v1/simulation", LimitRoutes.simulation, "OneLimitSimulation", _REGISTRY
    ),
    _read("/api/v1/waivers", Waivers.waivers, "WaiverList"),
    RouteRow(
        "/api/v1/waivers",
        Waivers.create_waiver,
        "admin",
        "WaiverRow",
        (_REGISTRY,),
        method="POST",
        body="WaiverInput",
        status=201,
    ),
    RouteRow(
        "/api/v1/waivers/{waiver_id}",
        Waivers.revoke_waiver,
        "admin",
        "WaiverRow",
        ("waiver_not_found",),
        method="DELETE",
    ),
    RouteRow(
        "/api/v1/crawls",
        CrawlRequests.ask_for_crawl,
        "admin",
        "CrawlAsked",
        (_REGISTRY,),
        method="POST",
        body="CrawlInput",
        status=202,
        again="The same was asked for before and is under way: its number.",
    ),
    _seen(
        "/api/v1/crawl-requests/{request_id}",
        CrawlRequests.crawl_request,
        "CrawlRequestRow",
        "request_not_found",
    ),
    _seen("/", Pages.overview),
    _seen("/repositories.json", API.repositories),
    _seen("/repositories.csv", Twins.repositories_csv),
    _seen("/repository", Pages.repository),
    _seen("/repository.json", Twins.repository_json),
    _seen("/repository.csv", Twins.repository_csv),
    _seen("/image", Pages.image),
    _seen("/image.json", API.image),
    _seen("/image.csv", Twins.image_csv),
    _seen("/bases", BasePages.bases_page),
    _seen("/bases.json", BaseRoutes.bases),
    _seen("/bases.csv", BasePages.bases_csv),
    _seen("/base", BasePages.one_base_page),
    _seen("/base.json", BaseRoutes.base),
    _seen("/base.csv", BasePages.one_base_csv),
    _seen("/compare", ComparePages.compare_page),
    _seen("/compare.json", API.compare),
    _seen("/compare.csv", ComparePages.compare_csv),
    _seen("/crawls", Pages.crawls),
    _seen("/crawls.json", Twins.crawls_json),
    _seen("/crawls.csv", Twins.crawls_csv),
    _seen("/search", Pages.search),
    _read("/violations", ViolationPages.violations_page),
    RouteRow("/waivers", Waivers.waive_on_page, "admin", method="POST"),
    _seen("/violations.json", API.violations),
    _seen("/violations.csv", ViolationPages.violations_csv),
)
STATIC_PATH: Final = "/static"
"""A folder of files, which no handler answers; everybody may have them."""
RIGHTS: Final = Rights(
    {("GET", STATIC_PATH): "none", **{(e.method, e.path): e.role for e in ROUTES}},
    frozenset(e.path for e in ROUTES if e.any_host),
    frozenset((e.method, e.path) for e in ROUTES if e.for_teams),
)
OF_METRICS: Final = frozenset(e for e in ROUTES if e.role in ("metrics", "probe"))
"""What a listener of its own may have."""


STATIC: Final = Path(__file__).parent.parent / "static"
_STOPPING_S: Final = 2.0
"""A thread that still waits for the database then is left to the process's end."""

_Lifespan: TypeAlias = Callable[[Starlette], AbstractAsyncContextManager[None]]


_HANDLERS: Final = (
    API,
    BaseRoutes,
    BasePages,
    LimitRoutes,
    ReclaimRoutes,
    TrafficRoutes,
    Waivers,
    ComparePages,
    Pages,
    Twins,
    ViolationPages,
)


class Apps(Struct, frozen=True):
    """What is served; `metrics` on a listener of its own, None without one.

    `web` brings both up to date while it is served, so it has to be.
    """

    web: Starlette
    metrics: Starlette | None


class _Shared(Struct, frozen=True):
    """What the apps of one process have in common."""

    database: Database
    threads: Threads
    telemetry: Telemetry
    keeper: SnapshotKeeper
    counting: ReclaimableKeeper
    tokens: KnownTokens
    inbox: Inbox
    writes: WriteWatch


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
    counting = ReclaimableKeeper(
        database, options.reclaim, is_wanted=lambda: keeper.is_asked, now=now
    )
    keeper = SnapshotKeeper(
        database,
        options.budget,
        policies=options.policies,
        reclaimable=lambda: counting.current,
        clock=clock,
        wall=lambda: now().timestamp(),
    )
    tokens = KnownTokens(database, now, clock)
    inbox = Inbox(database, reception.jobs, now, reception.answer_s)
    writes = WriteWatch(database, now)
    telemetry.db_up.set_function(lambda: float(writes.is_up))
    threads = Threads()
    shared = _Shared(
        database, threads, telemetry, keeper, counting, tokens, inbox, writes
    )
    web = _web_app(shared, options, reception, now)
    if options.of_metrics is None:
        return Apps(web, None)
    return Apps(web, _metrics_app(shared, options.of_metrics))


def _web_app(
    shared: _Shared,
    options: WebOptions,
    reception: Reception,
    now: Callable[[], datetime],
) -> Starlette:
    database, threads, policies = shared.database, shared.threads, options.policies
    finder = Finder(
        database,
        options.platforms,
        options.reclaim,
        options.prices,
        sights=Sights(policies),
    )
    parts: list[object] = [
        _health(shared, options),
        Description(ROUTES, options),
        *(made(database, finder, now, policies, threads) for made in _HANDLERS),
        CrawlRequests(
            database,
            finder,
            options.due_clock or now,
            threads,
            options.find_target,
            reception.jobs,
        ),
        WebhookReceiver(
            Hooks(reception.hooks),
            shared.inbox,
            shared.telemetry,
            shared.tokens,
            reception.read_s,
            options.trusted_proxies,
            threads=threads,
        ),
    ]
    endpoints = list(ROUTES)
    if options.of_metrics is None:
        parts += _metrics(shared, options)
    else:
        endpoints = [each for each in ROUTES if each not in OF_METRICS]
    app = _app(shared, options, parts, endpoints, _watching(shared))
    app.mount(STATIC_PATH, StaticFiles(directory=STATIC))
    return app


def _metrics_app(shared: _Shared, options: WebOptions) -> Starlette:
    """`/metrics*`, `/probe` and `/healthz`, and nothing else."""
    parts = [_health(shared, options), *_metrics(shared, options)]
    alive = [each for each in ROUTES if each.handler is Health.healthz]
    return _app(shared, options, parts, [*alive, *OF_METRICS])


def _health(shared: _Shared, options: WebOptions) -> Health:
    return Health(shared.database, shared.writes, options, shared.threads)


def _metrics(shared: _Shared, options: WebOptions) -> list[object]:
    metrics = Metrics(shared.telemetry, shared.keeper, shared.threads)
    return [metrics, Probing(options.prober)]


def _app(
    shared: _Shared,
    options: WebOptions,
    parts: Iterable[object],
    endpoints: Iterable[RouteRow],
    lifespan: _Lifespan | None = None,
) -> Starlette:
    """parts: the objects that answer"""
    bound = bound_methods(parts)
    routes = [each.route(bound, shared.threads) for each in endpoints]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False  # it would be built from the Host header
    app.state.failed_since = options.failed_since  # for every page, see `pages`
    add_error_handlers(app)
    app.add_middleware(
        AccessMiddleware,
        access=AccessRules(options, shared.tokens, shared.threads, shared.telemetry),
        rights=RIGHTS,
        telemetry=shared.telemetry,
    )
    return app


def _watching(shared: _Shared) -> _Lifespan:
    """While the app is served, threads render, read the tokens, and see whether the
    database takes writes, so that no scrape has to wait."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        stop = threading.Event()
        threads = [
            threading.Thread(target=watch, args=(stop,), name=name, daemon=True)
            for name, watch in (
                ("snapshot", shared.keeper.watch),
                ("reclaimable", shared.counting.watch),
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
