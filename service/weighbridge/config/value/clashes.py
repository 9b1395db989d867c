"""Rules over several keys of one mapping.

Pydantic checks a mapping as a whole only once each of its keys is right. These are
asked of what is written as well, so that their faults are told beside the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct
from pydantic_core import PydanticCustomError

from weighbridge.config.value.written_address import (
    check_prefixed_url,
    host_of,
    is_loopback,
    split_bind,
)
from weighbridge.config.yaml.reader import Path, Plain, mappings
from weighbridge.domain.series_budget import CORE_SERIES, DEFAULT_MAX_SERIES, room_of

BIND: Final = "127.0.0.1:8080"
"""Where pages and API are served unless something else is said."""
Made = TypeVar("Made")

_AUTH: Final = frozenset(
    {"username", "password", "password_file", "docker_config", "token_file"}
)


class Clash(Struct, frozen=True):
    """What is wrong between keys, told at one of them.

    shown: its value as written, "" where it says nothing or may be a secret
    """

    key: str
    code: str
    message: str
    shown: str = ""


def without(made: Made, clash: Clash | None) -> Made:
    """The mapping, if its keys go together; else a fault that is told at one key."""
    if clash is None:
        return made
    context = {"at": clash.key, "message": clash.message, "shown": clash.shown}
    raise PydanticCustomError(clash.code, "{message}", context)


def auth_clash(keys: frozenset[str]) -> Clash | None:
    """keys: those of `auth` that have a value"""
    passwords = keys & {"password", "password_file"}
    if alone := sorted(keys & {"docker_config", "token_file"}):
        if len(keys) > 1:
            return Clash(alone[0], "invalid_auth", "excludes the other keys")
    elif len(passwords) > 1:
        return Clash("password", "invalid_auth", "excludes password_file: keep one")
    elif not passwords:
        return Clash("password_file", "missing_key", "is missing (or password)")
    elif "username" not in keys:
        return Clash("username", "missing_key", "is missing")
    return None


def proxy_clash(keys: frozenset[str]) -> Clash | None:
    """keys: those of `proxy` that have a value"""
    passwords = keys & {"password", "password_file"}
    if len(passwords) > 1:
        return Clash("password", "twin_keys", "excludes password_file: keep one")
    if passwords and "username" not in keys:
        return Clash("username", "missing_key", "is missing")
    if "username" in keys and not passwords:
        return Clash("password_file", "missing_key", "is missing (or password)")
    return None


def transport_clash(
    url: str, *, plain_http: bool, has_proxy: bool = False
) -> Clash | None:
    """url: a checked one. Through a proxy even loopback is another machine's."""
    if url.startswith("https:"):
        if plain_http:
            words = "contradicts the https URL"
            return Clash("plain_http", "insecure_transport", words)
    elif not plain_http and (has_proxy or not is_loopback(host_of(url))):
        words = "is not encrypted: use https, or set plain_http: true"
        return Clash("url", "insecure_transport", words, url)
    return None


def listeners_clash(web: str, metrics: str) -> Clash | None:
    """web, metrics: two checked HOST:PORT; 0 lets the system choose another port"""
    (first, port), (second, other) = split_bind(metrics), split_bind(web)
    if port == 0 or port != other or not _meet(first, second):
        return None
    return Clash("bind", "address_in_use", "is where web.bind listens", metrics)


def _meet(one: str, other: str) -> bool:
    """Whether two hosts have an address in common."""
    return any(
        _is_in(first, second) or _is_in(second, first)
        for first in _addresses(one)
        for second in _addresses(other)
    )


def _addresses(host: str) -> tuple[str, ...]:
    return ("127.0.0.1", "::1") if host.lower() == "localhost" else (host,)


def _is_in(address: str, host: str) -> bool:
    """`::` leaves IPv4 to others."""
    return address == host or host == ("::" if ":" in address else "0.0.0.0")  # noqa: S104 - nothing listens here


def metrics_clash(max_series: int, pin: Sequence[str]) -> Clash | None:
    """Whether repositories that are pinned by their whole names can never all fit.
    What a pattern fits is only known later, and told by a metric of its own."""
    names = {name for name in pin if "*" not in name}
    if len(names) * CORE_SERIES <= room_of(max_series, registries=1):
        return None
    words = (
        f"names {len(names):,} repositories of {CORE_SERIES} series each: more than "
        f"max_series ({max_series:,}) has room for"
    )
    return Clash("pin", "too_many_pins", words)


def metrics_tls_clash(bind: object, *, has_tls: bool) -> Clash | None:
    """Whether there are certificates for a listener that there is not."""
    if not has_tls or bind is not None:
        return None
    return Clash("tls", "missing_key", "needs bind: without it web.bind serves metrics")


def headers_clash(user: str, groups: str) -> Clash | None:
    """Whether one header has two meanings."""
    if user != groups:
        return None
    return Clash("groups_header", "invalid_auth_proxy", "is user_header too", groups)


def sign_in_clash() -> Clash:
    """Of a sign-in proxy whose address nothing says."""
    words = "needs trusted_proxies: the addresses of the proxy, and no others"
    return Clash("auth_proxy", "missing_key", words)


PRICE_KEYS: Final = ("stored_gb_month", "pulled_gb")


def prices_clash(named: Sequence[str], currency: object) -> Clash | None:
    """Whether there are prices of no currency. named: the keys that have a price"""
    if not named or currency is not None:
        return None
    words = "is missing: prices need one, such as EUR"
    return Clash("currency", "missing_key", words)


def clashes(tree: Mapping[str, Plain]) -> Iterator[tuple[Path, Clash]]:
    """Every clash of what is written, with the path of its mapping. Values that are
    wrong themselves are left to their own checks."""
    for index, entry in mappings(tree.get("registries")):
        path: Path = ("registries", index)
        if (clash := _transport(entry)) is not None:
            yield path, clash
        if (clash := _auth(entry.get("auth"))) is not None:
            yield (*path, "auth"), clash
    metrics = tree.get("metrics")
    if isinstance(metrics, dict) and (clash := _metrics(metrics)) is not None:
        yield ("metrics",), clash
    if isinstance(metrics, dict):
        has_tls = metrics.get("tls") is not None
        clash = metrics_tls_clash(metrics.get("bind"), has_tls=has_tls)
        if clash is not None:
            yield ("metrics",), clash
    prices = tree.get("prices")
    if isinstance(prices, dict):
        named = [key for key in PRICE_KEYS if prices.get(key) is not None]
        if (clash := prices_clash(named, prices.get("currency"))) is not None:
            yield ("prices",), clash
    if (clash := _listeners(tree.get("web"), metrics)) is not None:
        yield ("metrics",), clash


def _auth(auth: Plain) -> Clash | None:
    if not isinstance(auth, dict):
        return None
    clash = auth_clash(frozenset(k for k, value in auth.items() if value is not None))
    if clash is not None and clash.code == "missing_key" and auth.keys() - _AUTH:
        return None  # what is missing may be there, with a slip in its name
    return clash


def _transport(entry: Mapping[str, Plain]) -> Clash | None:
    url, plain_http = entry.get("url"), entry.get("plain_http", False)
    if not isinstance(url, str) or not isinstance(plain_http, bool):
        return None
    try:
        return transport_clash(
            check_prefixed_url(url),
            plain_http=plain_http,
            has_proxy=entry.get("proxy") is not None,
        )
    except PydanticCustomError:
        return None


def _listeners(web: Plain, metrics: Plain) -> Clash | None:
    first = web.get("bind") if isinstance(web, dict) else None
    second = metrics.get("bind") if isinstance(metrics, dict) else None
    if not isinstance(second, str):
        return None
    try:
        return listeners_clash(first if isinstance(first, str) else BIND, second)
    except PydanticCustomError:
        return None


def _metrics(metrics: Mapping[str, Plain]) -> Clash | None:
    max_series, pin = metrics.get("max_series", DEFAULT_MAX_SERIES), metrics.get("pin")
    if not isinstance(max_series, int) or not isinstance(pin, list):
        return None
    return metrics_clash(max_series, [name for name in pin if isinstance(name, str)])
