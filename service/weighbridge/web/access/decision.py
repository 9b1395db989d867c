"""May this request be answered? The rules, in the order in which they are asked."""

from collections.abc import Mapping

from msgspec import Struct
from starlette.requests import Request
from starlette.routing import BaseRoute

from weighbridge.domain.access.roles import AccessToken, grants, presented_token
from weighbridge.web.access.known_tokens import KnownTokens
from weighbridge.web.options import Role, WebOptions, host_of, is_loopback
from weighbridge.web.request.errors import Refusal
from weighbridge.web.request.route_matching import methods_of, template_of
from weighbridge.web.request.threads import Threads


class AccessRules:
    """Decides on requests to one listener.

    1. On loopback the Host must be a loopback name: a page on another site that
       points its own name at 127.0.0.1 (DNS rebinding) gets 421.
    2. What writes must come from our own pages or from no page at all: a browser
       sends the password that it keeps for us with every site's requests.
    3. A role that everybody has here needs no token.
    4. No token and a wrong one get the same 401; one of a lesser role gets 403.
    """

    def __init__(
        self, options: WebOptions, tokens: KnownTokens, threads: Threads
    ) -> None:
        self._options = options
        self._tokens = tokens
        self._threads = threads

    def check_host(self, request: Request) -> None:
        """Raises Refusal(421)."""
        if self._options.wants_loopback_host and not _has_loopback_host(request):
            raise Refusal(
                421,
                "this service answers to loopback names only: open "
                f"http://{self._options.bind}/ on this machine, or say "
                "web.external_url to serve another name",
            )

    async def check(
        self, request: Request, needed: Role, *, writes: bool
    ) -> AccessToken | None:
        """The token that opened the door, None where none was needed.

        Raises Refusal(401, 403), StoreError.
        """
        if writes and not _is_from_here(request):
            raise Refusal(403, "this comes from another site's page", code="cross_site")
        if self._options.is_open(needed):
            return None
        token = await self._token(request)
        if token is None:
            raise Refusal(
                401,
                "this needs a token: send Authorization: Bearer TOKEN, or the token as "
                "the password of HTTP Basic",
            )
        role = "metrics" if needed == "probe" else needed
        if not grants(token.role, role):
            raise Refusal(403, f"this needs a token with the role {role}")
        return token

    async def _token(self, request: Request) -> AccessToken | None:
        sent = request.headers.getlist("authorization")
        text = presented_token(sent[0]) if len(sent) == 1 else None
        if text is None:
            return None
        if self._tokens.is_due:
            await self._threads.run(self._tokens.refresh)
        return self._tokens.find(text)


def _has_loopback_host(request: Request) -> bool:
    """Exactly one Host, and it names this machine."""
    hosts = request.headers.getlist("host")
    return len(hosts) == 1 and is_loopback(host_of(hosts[0]))


def _is_from_here(request: Request) -> bool:
    """Browsers since 2023 send Sec-Fetch-Site with everything, older ones Origin with
    what writes; other programs send neither."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    return "origin" not in request.headers


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
