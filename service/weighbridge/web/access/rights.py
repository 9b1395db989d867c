"""Which role each route needs: what is not in the table is for nobody but admins."""

from collections.abc import Mapping
from typing import Final

from starlette.routing import BaseRoute

from weighbridge.web.options import Role
from weighbridge.web.request.route_matching import methods_of, template_of

RIGHTS: Final[Mapping[str, Role]] = {
    "/healthz": "none",
    "/readyz": "none",
    "/static": "none",
    "/metrics": "metrics",
    "/metrics/repositories": "metrics",
    "/probe": "probe",
    "/api/v1/openapi.json": "read",
    "/api/v1/crawl-requests/{request_id}": "read",
    "/api/v1/registries": "read",
    "/api/v1/repositories": "read",
    "/api/v1/repository": "read",
    "/api/v1/tags": "read",
    "/api/v1/disputes": "read",
    "/api/v1/headroom": "read",
    "/api/v1/image": "read",
    "/api/v1/limits": "read",
    "/api/v1/notifications": "read",
    "/api/v1/crawls": "read",
    "/api/v1/crawls/{crawl_id}": "read",
    "/api/v1/search": "read",
    "/api/v1/simulation": "read",
    "/api/v1/violations": "read",
    "/api/v1/waivers": "read",
    "/": "read",
    "/repositories.json": "read",
    "/repositories.csv": "read",
    "/repository": "read",
    "/repository.json": "read",
    "/repository.csv": "read",
    "/image": "read",
    "/image.json": "read",
    "/image.csv": "read",
    "/crawls": "read",
    "/crawls.json": "read",
    "/crawls.csv": "read",
    "/search": "read",
    "/violations": "read",
    "/violations.json": "read",
    "/violations.csv": "read",
}
"""A route that is not here fails the tests, and is answered to nobody but admins."""
WRITES: Final[Mapping[tuple[str, str], Role]] = {
    ("POST", "/api/v1/crawls"): "admin",
    ("POST", "/api/v1/waivers"): "admin",
    ("DELETE", "/api/v1/waivers/{waiver_id}"): "admin",
    # Its secret is what opens it, see `web.webhooks`.
    ("POST", "/webhooks/{source}"): "none",
    ("POST", "/webhooks/{source}/{secret}"): "none",
}
"""The same of routes that take something else than reads."""


ANY_HOST: Final = frozenset({"/webhooks/{source}", "/webhooks/{source}/{secret}"})
"""Reached from other machines by whatever name. A page that has its own name point to
this machine gains nothing here: it knows no secret, and a browser keeps none."""


def right_of(route: BaseRoute | None) -> Role:
    """The role that this route needs. Where there is no route there is nothing to
    guard: everybody gets the same 404."""
    if route is None:
        return "none"
    template = template_of(route)
    methods = methods_of(route)
    if not methods or "GET" in methods:
        return RIGHTS.get(template, "admin")
    found = {WRITES.get((method, template), "admin") for method in methods}
    return found.pop() if len(found) == 1 else "admin"
