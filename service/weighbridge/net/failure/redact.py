"""URLs as they may appear in logs and messages: without anything that opens a door."""

import re
from urllib.parse import quote, urlsplit

_REDACTED = "REDACTED"
_SHOWN_KEYS = frozenset({"scope", "service", "n", "last", "digest", "mount", "from"})
_NOT_VISIBLE = re.compile(r"[^\x21-\x7e]+")


def redact_url(url: str) -> str:
    """Scheme, host, port and path, with the query values that a registry's own API
    needs; every other value is REDACTED (signed URLs carry credentials there).

    User information and the fragment are left out. Never raises: a text that is no
    URL becomes REDACTED as a whole.
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return _REDACTED
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    query = f"?{_redact_query(parts.query)}" if parts.query else ""
    return _NOT_VISIBLE.sub(_percent, f"{scheme}{host}{parts.path}{query}")


def _redact_query(query: str) -> str:
    return "&".join(_redact_field(field) for field in query.split("&"))


def _redact_field(field: str) -> str:
    key, equals, _ = field.partition("=")
    if not equals:
        # A lone word may be the token itself.
        return _REDACTED
    return field if key in _SHOWN_KEYS else f"{key}={_REDACTED}"


def _percent(match: re.Match[str]) -> str:
    return quote(match[0].encode("utf-8", "surrogatepass"), safe="")
