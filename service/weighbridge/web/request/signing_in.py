"""Who signed in at the proxy in front, by the headers of its requests."""

import time
from typing import Final

import structlog
from starlette.requests import Request

from weighbridge.domain.access.principal import Principal
from weighbridge.domain.access.roles import USER, is_of
from weighbridge.domain.access.sign_in import claims_to_be_signed_in, signed_in
from weighbridge.errors import UsageError
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.request.answers import Refusal

LOGGED_EVERY_S: Final = 60.0
"""A stranger could else fill the log; the metric counts each."""


class SigningIn:
    """Reads the headers, from the proxy alone; the same from another is refused."""

    def __init__(self, options: WebOptions, telemetry: Telemetry) -> None:
        self._options = options
        self._refused = telemetry.sign_ins_refused
        if options.auth_proxy is not None:
            for reason in ("stranger", "invalid"):
                # From 0 on, else Prometheus sees no increase by the first ones.
                self._refused.labels(reason)
        self._logged_at: float | None = None
        self._log = structlog.get_logger("weighbridge.access")

    def find(self, request: Request) -> Principal | None:
        """Who signed in; None where the request does not say it. Raises Refusal(403)
        where it is not the proxy's, Refusal(400) where it can be read in two ways."""
        proxy = self._options.auth_proxy
        headers = request.scope["headers"]
        if proxy is None or not claims_to_be_signed_in(proxy, headers):
            return None
        peer = request.client.host if request.client else ""
        if not is_of(peer, self._options.trusted_proxies):
            self._note("stranger", peer, "its address is not in web.trusted_proxies")
            raise Refusal(
                403,
                f"the headers {proxy.user} and {proxy.groups} are taken from the "
                "sign-in proxy alone, which this was not sent by",
                code="untrusted_sign_in",
            )
        try:
            return signed_in(proxy, headers, self._options.policies().teams)
        except UsageError as exc:
            self._note("invalid", peer, exc.message)
            raise Refusal(400, exc.message, code=exc.code) from exc

    def _note(self, kind: str, peer: str, why: str) -> None:
        self._refused.labels(kind).inc()
        now = time.monotonic()
        if self._logged_at is None or now - self._logged_at >= LOGGED_EVERY_S:
            self._logged_at = now
            self._log.warning("a sign-in header was refused", peer=peer, reason=why)


def in_no_team(person: Principal) -> Refusal:
    """The answer to somebody who signed in and may see nothing."""
    return Refusal(
        403,
        f"{person.name.removeprefix(USER)} is signed in and in no team, so there is "
        "nothing to see: none of the groups that the sign-in proxy sent is the name of "
        "a team in the policies, or a group of admins",
        code="no_team",
    )
