"""The table of routes: address, handler, who may ask, and what is answered.

The app, the rights and the API's description are made of it. A route that is not here
is answered to nobody but admins.
"""

from typing import Final

from msgspec.structs import replace

from weighbridge.web.access.middleware import Rights
from weighbridge.web.api.crawl_requests import CrawlRequests
from weighbridge.web.api.health import Health
from weighbridge.web.api.limits import LimitRoutes
from weighbridge.web.api.read_routes import API
from weighbridge.web.api.waivers import Waivers
from weighbridge.web.metrics.scrape import Metrics, Probing
from weighbridge.web.pages.report_pages import Pages, Twins
from weighbridge.web.pages.violation_pages import ViolationPages
from weighbridge.web.routes.openapi import Description
from weighbridge.web.routes.route_row import Method, RouteRow
from weighbridge.web.webhooks.receiver import WebhookReceiver


def _read(path: str, handler: Method, answer: str = "", *not_found: str) -> RouteRow:
    return RouteRow(path, handler, "read", answer, not_found)


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
    _read("/api/v1/openapi.json", Description.openapi),
    _read("/api/v1/registries", API.registries, "RegistryList"),
    _read("/api/v1/repositories", API.repositories, "RepositoryList", _REGISTRY),
    _read("/api/v1/repository", API.repository, "OneRepository", _REPOSITORY),
    _read("/api/v1/tags", API.tags, "TagList", _REPOSITORY),
    _read(
        "/api/v1/image", API.image, "ReferenceAnswer", _REPOSITORY, "image_not_found"
    ),
    _read("/api/v1/crawls", API.crawls, "CrawlList", _REGISTRY, _REPOSITORY),
    _read("/api/v1/crawls/{crawl_id}", API.one_crawl, "Crawl", "crawl_not_found"),
    _read("/api/v1/search", API.search, "SearchHitList"),
    _read(
        "/api/v1/violations", API.violations, "ViolationList", _REGISTRY, _REPOSITORY
    ),
    _read("/api/v1/disputes", API.disputes, "DisputeList", _REGISTRY, _REPOSITORY),
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
    _read(
        "/api/v1/crawl-requests/{request_id}",
        CrawlRequests.crawl_request,
        "CrawlRequestRow",
        "request_not_found",
    ),
    _read("/", Pages.overview),
    _read("/repositories.json", API.repositories),
    _read("/repositories.csv", Twins.repositories_csv),
    _read("/repository", Pages.repository),
    _read("/repository.json", Twins.repository_json),
    _read("/repository.csv", Twins.repository_csv),
    _read("/image", Pages.image),
    _read("/image.json", API.image),
    _read("/image.csv", Twins.image_csv),
    _read("/crawls", Pages.crawls),
    _read("/crawls.json", Twins.crawls_json),
    _read("/crawls.csv", Twins.crawls_csv),
    _read("/search", Pages.search),
    _read("/violations", ViolationPages.violations_page),
    _read("/violations.json", API.violations),
    _read("/violations.csv", ViolationPages.violations_csv),
)
STATIC_PATH: Final = "/static"
"""A folder of files, which no handler answers; everybody may have them."""
RIGHTS: Final = Rights(
    {("GET", STATIC_PATH): "none", **{(e.method, e.path): e.role for e in ROUTES}},
    frozenset(e.path for e in ROUTES if e.any_host),
)
OF_METRICS: Final = frozenset(e for e in ROUTES if e.role in ("metrics", "probe"))
"""What a listener of its own may have."""
