"""The web application without a listener for metrics."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.applications import Starlette

from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.routes.app import create_apps
from weighbridge.web.webhooks.receiver import NOBODY, Reception


def create_app(
    database: Database,
    telemetry: Telemetry,
    options: WebOptions,
    reception: Reception = NOBODY,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    clock: Callable[[], float] = time.monotonic,
) -> Starlette:
    """What `create_apps` makes first."""
    apps = create_apps(database, telemetry, options, reception, now=now, clock=clock)
    return apps.web
