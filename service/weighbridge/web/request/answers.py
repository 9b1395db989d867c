"""Answers to reads, JSON, CSV and pages, each with an ETag; and what a client takes, by
the weights in `Accept` and `Accept-Encoding` (RFC 9110 12.4.2).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.presentation.forms.csv_json_markdown import csv_table, json_bytes

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


def refused_page_answer(html: str) -> Response:
    """A page that says what was wrong with the request. Nobody keeps it."""
    headers = {**_HTML, "cache-control": "no-store"}
    return Response(_encoded(html), 400, headers)


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
