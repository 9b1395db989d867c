"""Who a request is from, as its scope has it."""

from typing import Final

from starlette.requests import HTTPConnection

from weighbridge.domain.access.principal import Principal

PRINCIPAL: Final = "weighbridge.principal"
"""Where a request's scope has it, since `AccessMiddleware` let it in."""


def principal_of(request: HTTPConnection) -> Principal:
    """Who it is from."""
    found: Principal = request.scope[PRINCIPAL]
    return found
