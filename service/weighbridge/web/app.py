"""The web application: which address leads to what."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fastapi import Depends, FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from weighbridge import __version__
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.api import API
from weighbridge.web.errors import add_error_handlers
from weighbridge.web.finding import Finder
from weighbridge.web.health import Health
from weighbridge.web.metrics import Metrics
from weighbridge.web.openapi import ANSWERS, PATH, Description
from weighbridge.web.options import WebOptions, check_reach
from weighbridge.web.pages import Pages, Twins
from weighbridge.web.parameters import only_known_parameters
from weighbridge.web.security import Gate
from weighbridge.web.snapshot import SnapshotKeeper

STATIC: Final = Path(__file__).parent / "static"


def create_app(
    database: Database,
    telemetry: Telemetry,
    options: WebOptions,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """The application over an open database; it only ever reads.

    now, clock: the wall and the monotonic clock, for tests.
    Raises UsageError(anonymous_read) if it would be open to a network unasked.
    Serve it without uvicorn's `proxy_headers`: forwarded headers are not believed.
    """
    check_reach(options)
    telemetry.build_info.labels(__version__, "").set(1)
    keeper = SnapshotKeeper(
        database,
        options.budget,
        clock=clock,
        wall=lambda: now().timestamp(),
    )
    app = FastAPI(
        title="Weighbridge",
        version=__version__,
        openapi_url=None,  # `openapi.Description` says what is really answered
        docs_url=None,  # both kinds of docs pages load scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,  # the redirect would be built from the Host header
        dependencies=[Depends(only_known_parameters)],
        lifespan=_watching(keeper),
    )
    _add_health(app, Health(database))
    _add_metrics(app, Metrics(telemetry, keeper))
    finder = Finder(database, options.platforms)
    _add_api(app, API(database, finder, now), Description(app, options))
    _add_pages(app, Pages(database, finder, now), Twins(finder, now))
    app.mount("/static", StaticFiles(directory=STATIC))
    add_error_handlers(app)
    app.add_middleware(Gate, options=options, telemetry=telemetry)
    return app


def _watching(
    keeper: SnapshotKeeper,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """While the app is served, a thread renders, so that no scrape has to wait."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        stop = threading.Event()
        thread = threading.Thread(
            target=keeper.watch, args=(stop,), name="snapshot", daemon=True
        )
        thread.start()
        yield
        stop.set()
        await asyncio.to_thread(thread.join)

    return lifespan


def _get(
    app: FastAPI,
    path: str,
    handler: Callable[..., Response | Awaitable[Response]],
    *,
    tag: str,
) -> None:
    app.add_api_route(
        path,
        handler,
        methods=["GET"],
        tags=[tag],
        operation_id=handler.__name__,
        include_in_schema=path in ANSWERS,
    )


def _add_health(app: FastAPI, health: Health) -> None:
    _get(app, "/healthz", health.healthz, tag="health")
    _get(app, "/readyz", health.readyz, tag="health")


def _add_metrics(app: FastAPI, metrics: Metrics) -> None:
    _get(app, "/metrics", metrics.process, tag="metrics")
    _get(app, "/metrics/repositories", metrics.repositories, tag="metrics")


def _add_api(app: FastAPI, api: API, description: Description) -> None:
    _get(app, PATH, description.openapi, tag="api")
    _get(app, "/api/v1/registries", api.registries, tag="api")
    _get(app, "/api/v1/repositories", api.repositories, tag="api")
    _get(app, "/api/v1/repository", api.repository, tag="api")
    _get(app, "/api/v1/tags", api.tags, tag="api")
    _get(app, "/api/v1/image", api.image, tag="api")
    _get(app, "/api/v1/passes", api.passes, tag="api")
    _get(app, "/api/v1/passes/{pass_id}", api.one_pass, tag="api")
    _get(app, "/api/v1/search", api.search, tag="api")


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
