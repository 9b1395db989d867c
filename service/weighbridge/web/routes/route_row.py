"""One row of the table of routes, and the route that it makes."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weighbridge.web.options import Role
from weighbridge.web.request.parameters import parameters_of
from weighbridge.web.request.threads import Threads

Method: TypeAlias = Callable[..., object]
"""Of a class whose objects answer; which object does, each app knows."""


class RouteRow(Struct, frozen=True):
    """What is answered at one address to one method.

    role:      who may ask
    answer:    the schema of what went well; "": the API's description leaves it out
    not_found: the codes of its 404
    method:    GET also is HEAD
    body:      the schema of what is sent, "" for nothing
    status:    of what went well
    again:     what a 200 says beside that status; "": there is none
    any_host:  whether it is reached from other machines by whatever name
    """

    path: str
    handler: Method
    role: Role
    answer: str = ""
    not_found: tuple[str, ...] = ()
    method: str = "GET"
    body: str = ""
    status: int = 200
    again: str = ""
    any_host: bool = False

    def route(
        self, bound: Mapping[Method, Callable[..., object]], threads: Threads
    ) -> Route:
        """bound: by method of a class, the same of the object that answers here

        An object that is called itself is an ASGI app, and gets nothing read for it.
        """
        handler = bound[self.handler]
        if not inspect.ismethod(handler):
            return Route(self.path, handler, methods=[self.method])
        parameters = parameters_of(self.handler)
        answering = threads.answering(handler)

        async def answered(request: Request) -> Response:
            return await answering(request, **parameters.read(request))

        return Route(self.path, answered, methods=[self.method])


def bound_methods(parts: Iterable[object]) -> dict[Method, Callable[..., object]]:
    """The methods of these objects by those of their classes; of one that is called
    itself, the object."""
    found: dict[Method, Callable[..., object]] = {}
    for part in parts:
        for name, method in vars(type(part)).items():
            if inspect.isfunction(method):
                found[method] = getattr(part, name)
        if callable(part):
            found[type(part).__call__] = part
    return found
