"""Which route of an app a request meets, and what is answered at an address."""

from collections.abc import Sequence
from typing import Final

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


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


def methods_of(route: BaseRoute) -> frozenset[str]:
    """The methods that a route takes, without HEAD, which is answered wherever GET is;
    none of what is mounted."""
    methods: object = getattr(route, "methods", None)
    found = frozenset(methods if isinstance(methods, set | frozenset) else ())
    return found - {"HEAD"}


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
