"""Which role each route needs: what is not in the table is for nobody but admins."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from weighbridge.web.options import Role

RIGHTS: Final[Mapping[str, Role]] = {
    "/healthz": "none",
    "/readyz": "none",
    "/static": "none",
    "/metrics": "metrics",
    "/metrics/repositories": "metrics",
    "/api/v1/openapi.json": "read",
    "/api/v1/registries": "read",
    "/api/v1/repositories": "read",
    "/api/v1/repository": "read",
    "/api/v1/tags": "read",
    "/api/v1/image": "read",
    "/api/v1/passes": "read",
    "/api/v1/passes/{pass_id}": "read",
    "/api/v1/search": "read",
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
}
"""A route that is not here fails the tests, and is answered to nobody but admins."""


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
    return RIGHTS.get(template_of(route), "admin")
