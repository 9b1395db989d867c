"""Answers to reads, JSON, CSV and pages, each with an ETag; one shape for every error,
and a page for people; what a client takes, by the weights in `Accept` and
`Accept-Encoding` (RFC 9110 12.4.2); and which methods are answered at an address.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
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
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from weighbridge.errors import NotFound, StoreError, UsageError, WeighbridgeError
from weighbridge.presentation.forms.csv_json_markdown import csv_table, json_bytes
from weighbridge.web.options import SECURITY_HEADERS
from weighbridge.web.views.frame import NAVIGATION
from weighbridge.web.views.templating import render

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
    app.add_exception_handler(WeighbridgeError, refusal_response)
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


def refusal_response(request: Request, exc: Exception) -> Response:
    """What one of our errors is answered with; outside of the app too."""
    if isinstance(exc, Refusal):
        return error_response(request, exc.status, exc.code, exc.message, exc.detail)
    for kind, status in _STATUS:
        if isinstance(exc, kind):
            detail = {"hint": exc.hint} if exc.hint else None
            return error_response(request, status, exc.code, exc.message, detail)
    return _unexpected(request, exc)


def _http(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    message = HTTPStatus(status).phrase.lower()
    if status == 404:
        message = "there is nothing at this address"
    elif status == 405:
        message = f"this address only answers {allowed_at(request.scope)}"
    return error_response(request, status, _CODES.get(status, "error"), message)


def _unexpected(request: Request, _exc: Exception) -> Response:
    # Starlette logs the exception after this answer; the sender learns nothing.
    message = "this is a fault of ours; the log of the service has its cause"
    return error_response(request, 500, "internal_error", message)


# An age is another one a second later and says nothing new. (In a text of JSON the
# quotes would be escaped, so this can only be a key.)
_AGE: Final = re.compile(rb'"age_seconds":[0-9]+')
_HTML: Final = {"content-type": "text/html; charset=utf-8"}


def json_answer(request: Request, value: object) -> Response:
    """The value as JSON."""
    body = json_bytes(value)
    content = _AGE.sub(b"", body)
    headers = {"content-type": "application/json"}
    return _answer(request, body, headers, None if content == body else content)


def page_answer(request: Request, html: str) -> Response:
    """A page. A lone surrogate, which UTF-8 cannot hold, becomes a question mark."""
    return _answer(request, _encoded(html), _HTML)


def refused_page_answer(html: str, status: int = 400) -> Response:
    """A page that says what was wrong with the request. Nobody keeps it."""
    headers = {**_HTML, "cache-control": "no-store"}
    return Response(_encoded(html), status, headers)


def _encoded(html: str) -> bytes:
    return html.encode("utf-8", "replace")


def csv_answer(
    request: Request,
    name: str,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, object]],
    next_cursor: str | None = None,
) -> Response:
    """RFC 4180 with a head line, offered as `name`.csv. CSV has no place for a cursor,
    so the next page is a Link (RFC 8288)."""
    text = csv_table(columns, rows, "\r\n") + "\r\n"
    headers = {
        "content-type": "text/csv; charset=utf-8; header=present",
        "content-disposition": f'attachment; filename="{name}.csv"',
    }
    answer = _answer(request, text.encode("utf-8", "replace"), headers)
    if next_cursor:
        following = request.url.include_query_params(cursor=next_cursor)
        answer.headers["link"] = f'<?{following.query}>; rel="next"'
    return answer


def _answer(
    request: Request,
    body: bytes,
    headers: Mapping[str, str],
    content: bytes | None = None,
) -> Response:
    """content: what of the body counts where not every byte of it does; the ETag is
    then a weak one (RFC 9110 8.8.1)."""
    digest = hashlib.sha256(body if content is None else content).hexdigest()[:32]
    etag = f'"{digest}"' if content is None else f'W/"{digest}"'
    if _is_known(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers={"etag": etag})
    return Response(body, headers={**headers, "etag": etag})


def _is_known(if_none_match: str, etag: str) -> bool:
    """RFC 9110 13.1.2: a list, compared weakly, or `*`."""
    sent = [item.strip().removeprefix("W/") for item in if_none_match.split(",")]
    return etag.removeprefix("W/") in sent or sent == ["*"]


_WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def prefers(sent: Sequence[str], name: str, usual: str) -> bool:
    """Whether the client names the one by its name, does not forbid it by `;q=0`, and
    does not like what we send else better.

    sent:        all values of `Accept` or `Accept-Encoding`
    name, usual: media types without parameters, or content codings, in lower case
    """
    weights = _weights(",".join(sent))
    weight = weights.get(name, 0.0)
    return weight > 0 and weight >= weights.get(usual, 0.0)


def _weights(header: str) -> dict[str, float]:
    """By name. Named twice, as with two versions of a type, the higher one counts."""
    found: dict[str, float] = {}
    for item in header.split(","):
        name, *parameters = item.split(";")
        name = name.strip().lower()
        found[name] = max(_weight(parameters), found.get(name, 0.0))
    return found


def _weight(parameters: Sequence[str]) -> float:
    """1 where none is said. What is no weight is 0: nobody gets by it what may be
    forbidden."""
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            value = value.strip()
            return float(value) if _WEIGHT.fullmatch(value) else 0.0
    return 1.0
