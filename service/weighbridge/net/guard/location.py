"""Where a redirect leads, if it may lead there at all."""

import re

import httpx

from weighbridge.errors import TransportError
from weighbridge.net.guard.route import origin, origin_of

# Visible ASCII without a backslash, which some parsers take for a slash.
_LOCATION = re.compile(r"[\x21-\x5b\x5d-\x7e]{1,8192}")


def next_url(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    """The URL that a 30x from `url` names, without its fragment.

    Whether its address may be reached is judged when it is dialled. Raises
    TransportError(redirect_refused).
    """
    locations = [v for k, v in response.headers.raw if k.lower() == b"location"]
    if len(locations) != 1:
        raise _refused(url, f"has {len(locations)} Location fields")
    location = locations[0].decode("latin-1")
    if _LOCATION.fullmatch(location) is None:
        raise _refused(url, "has a Location that is no URL")
    try:
        named = httpx.URL(location)
        target = url.join(named)
        _, host, port = origin(target)
    except (httpx.InvalidURL, ValueError) as exc:
        raise _refused(url, "has a Location that is no URL") from exc
    if not host or ((named.scheme or location.startswith("//")) and not named.host):
        # httpx joins http:///x to the host that it came from.
        raise _refused(url, "has a Location without a host")
    if not 0 < port < 65_536:
        raise _refused(url, "leads to another scheme than http and https, or no port")
    if target.userinfo:
        raise _refused(url, "has credentials in its Location")
    if url.scheme == "https" and target.scheme != "https":
        raise _refused(url, "leads from https to http")
    return target.copy_with(fragment=None) if target.fragment else target


def _refused(url: httpx.URL, why: str) -> TransportError:
    return TransportError(
        f"a redirect of {origin_of(url)} {why}",
        code="redirect_refused",
        retryable=False,
    )
