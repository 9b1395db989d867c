"""Which role each route needs: what has no row is for nobody but admins."""

from collections.abc import Mapping

from msgspec import Struct
from starlette.routing import BaseRoute

from weighbridge.web.options import Role
from weighbridge.web.request.route_matching import methods_of, template_of


class Rights(Struct, frozen=True):
    """What the table of routes says of them.

    roles:    by method and path
    any_host: paths that are reached from other machines by whatever name. A page that
              has its own name point to this machine gains nothing there: it knows no
              secret, and a browser keeps none
    """

    roles: Mapping[tuple[str, str], Role]
    any_host: frozenset[str]

    def role_of(self, route: BaseRoute | None) -> Role:
        """The role that this route needs. Where there is no route there is nothing to
        guard: everybody gets the same 404."""
        if route is None:
            return "none"
        path = template_of(route)
        # A folder of files has no methods of its own.
        methods = methods_of(route) or {"GET"}
        found = {self.roles.get((method, path), "admin") for method in methods}
        return found.pop() if len(found) == 1 else "admin"

    def takes_any_host(self, route: BaseRoute | None) -> bool:
        """Whether it is answered whatever its Host says."""
        return template_of(route) in self.any_host
