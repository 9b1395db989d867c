"""Which role each route needs: what is not in the table is for nobody but admins."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from weighbridge.web.options import Role

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
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
    "/api/v1/passes": "read",
    "/api/v1/passes/{pass_id}": "read",
    "/api/v1/search": "read",
    "/api/v1/trial": "read",
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


def find_route(scope: Scope) -> tuple[BaseRoute | None, bool]:
    """The route that the app will take, by the routes' own matching, and whether it
    takes the method. None where nothing is at this address."""
    routes: Sequence[BaseRoute] = scope["app"].routes
    partial: BaseRoute | None = None
    for route in routes:
        match, _ = route.matches(scope)
        if match is Match.FULL:
            return route, True
        if match is Match.PARTIAL and partial is None:
            partial = route
    return partial, False


def template_of(route: BaseRoute | None) -> str:
    """The route's path with its parameters in braces, `other` for no route."""
    path: object = getattr(route, "path", None)
    return path if isinstance(path, str) else "other"


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


def methods_of(route: BaseRoute) -> frozenset[str]:
    """The methods that a route takes; none of what is mounted."""
    methods: object = getattr(route, "methods", None)
    return frozenset(methods) if isinstance(methods, set | frozenset) else frozenset()


def allowed_at(scope: Scope) -> str:
    """Every method that is answered at an address, as `Allow` lists them."""
    routes: Sequence[BaseRoute] = scope["app"].routes
    found = {
        method
        for route in routes
        if route.matches(scope)[0] is not Match.NONE
        for method in methods_of(route)
    }
    if "GET" in found:
        found.add("HEAD")
    return ", ".join(sorted(found, key=METHODS.index))
