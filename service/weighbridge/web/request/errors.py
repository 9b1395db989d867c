"""One shape for every error over HTTP, and a page for people."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)

from weighbridge.errors import NotFound, StoreError, UsageError, WeighbridgeError
from weighbridge.web.options import SECURITY_HEADERS
from weighbridge.web.request.answers import prefers
from weighbridge.web.request.route_matching import allowed_at
from weighbridge.web.views.frame import NAVIGATION
from weighbridge.web.views.templating import render

RETRY_AFTER_S: Final = 10
"""A database that restarts or lets go of a lock needs no longer, mostly."""
_CODES: Final = {
    400: "bad_request",
    401: "token_needed",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    422: "invalid_body",
    421: "misdirected_request",
    500: "internal_error",
    503: "unavailable",
}


class Refusal(WeighbridgeError):
    """A request that is answered with a status of its own.

    detail: what a program needs beside the sentence, or None
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        detail: object = None,
    ) -> None:
        super().__init__(message, code=code or _CODES.get(status, "error"))
        self.status = status
        self.detail = detail


def add_error_handlers(app: Starlette) -> None:
    """Answer every exception in our shape; a traceback never leaves."""
    app.add_exception_handler(WeighbridgeError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def error_response(
    request: Request, status: int, code: str, message: str, detail: object = None
) -> Response:
    """JSON, or a page where a browser asked for a page."""
    headers = dict(SECURITY_HEADERS) | {"cache-control": "no-store"}
    if status == 503:
        headers["retry-after"] = str(RETRY_AFTER_S)  # RFC 9110 10.2.3
    if status == 405:
        headers["allow"] = allowed_at(request.scope)  # RFC 9110 15.5.6: always said
    if status == 401:
        headers["www-authenticate"] = _challenge(request.url.path)
    if status == 421 and _wants_page(request):
        # Its stylesheet would be refused for the same reason.
        return PlainTextResponse(f"{status}: {message}\n", status, headers)
    if _wants_page(request):
        body = render(
            "error.html",
            status=status,
            code=code,
            message=message,
            navigation=NAVIGATION,
        )
        return HTMLResponse(body, status, headers)
    shape = {"error": {"code": code, "message": message, "detail": detail}}
    return JSONResponse(shape, status, headers)


def _challenge(path: str) -> str:
    """RFC 9110 11.6.1. A browser asks its user for pages, and for nothing else."""
    if path.startswith(("/api/", "/metrics", "/probe", "/webhooks/")):
        return 'Bearer realm="weighbridge"'
    return 'Basic realm="weighbridge", charset="UTF-8"'


def refusal_response(request: Request, refusal: Refusal | StoreError) -> Response:
    """What is answered outside of the app, in the same shape."""
    return _ours(request, refusal)


def _wants_page(request: Request) -> bool:
    path = request.url.path
    if path.startswith(_NO_PAGES) or path.endswith(_TWINS):
        return False
    accept = request.headers.getlist("accept")
    return prefers(accept, "text/html", "application/json")


_NO_PAGES: Final = ("/api/", "/metrics", "/probe", "/static/", "/webhooks/")
_TWINS: Final = (".json", ".csv")
_STATUS: Final[tuple[tuple[type[WeighbridgeError], int], ...]] = (
    (UsageError, 400),
    (NotFound, 404),
    (StoreError, 503),
)


def _ours(request: Request, exc: Exception) -> Response:
    if isinstance(exc, Refusal):
        return error_response(request, exc.status, exc.code, exc.message, exc.detail)
    for kind, status in _STATUS:
        if isinstance(exc, kind):
            detail = {"hint": exc.hint} if exc.hint else None
            return error_response(request, status, exc.code, exc.message, detail)
    return _unexpected(request, exc)


def _http(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    message = _MESSAGES.get(status, _phrase)(request, status)
    return error_response(request, status, _CODES.get(status, "error"), message)


def _phrase(_: Request, status: int) -> str:
    return HTTPStatus(status).phrase.lower()


def _not_allowed(request: Request, _: int) -> str:
    return f"this address only answers {allowed_at(request.scope)}"


_MESSAGES: Final[dict[int, Callable[[Request, int], str]]] = {
    404: lambda *_: "there is nothing at this address",
    405: _not_allowed,
}


def _unexpected(request: Request, _exc: Exception) -> Response:
    # Starlette logs the exception after this answer; the sender learns nothing.
    message = "this is a fault of ours; the log of the service has its cause"
    return error_response(request, 500, "internal_error", message)
