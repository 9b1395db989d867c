"""Requests whose target is a whole URL, as clients of a proxy send them."""

import re
from typing import Final
from urllib.parse import unquote

from starlette.types import Scope

# No user: that part of a URL is for nobody but its client (RFC 9110 4.2.4).
_URL: Final = re.compile(rb"https?://(?P<host>[^/?#@\s]+)(?P<path>/.*)?", re.IGNORECASE)


def in_origin_form(scope: Scope) -> Scope:
    """The request as if it named a path alone (RFC 9112 3.2.2): the URL's host stands
    in place of what `Host` says. A target of any other form stays as it is."""
    if scope["path"].startswith("/"):
        return scope
    found = _URL.fullmatch(scope["raw_path"])
    if found is None:
        return scope
    raw_path = found["path"] or b"/"
    others = [pair for pair in scope["headers"] if pair[0] != b"host"]
    return {
        **scope,
        "raw_path": raw_path,
        "path": unquote(raw_path.decode("ascii")),
        "headers": [(b"host", found["host"]), *others],
    }
