"""Rules over several keys of one mapping.

Pydantic looks at a mapping as a whole only once each of its keys is right. These are
asked of what is written as well, so that their faults are told beside the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic_core import PydanticCustomError

from weighbridge.config.address import check_url, host_of, is_loopback, split_bind
from weighbridge.config.document import Path, Plain
from weighbridge.domain.series import CORE_SERIES, DEFAULT_MAX_SERIES, room_of

_AUTH: Final = frozenset({"username", "password", "password_file", "docker_config"})


@dataclass(frozen=True, slots=True)
class Clash:
    """What is wrong between keys, told at one of them.

    shown: its value as written, "" where it says nothing or may be a secret
    """

    key: str
    code: str
    message: str
    shown: str = ""


def auth_clash(keys: frozenset[str]) -> Clash | None:
    """keys: those of `auth` that have a value"""
    passwords = keys & {"password", "password_file"}
    if "docker_config" in keys:
        if passwords or "username" in keys:
            return Clash("docker_config", "invalid_auth", "excludes the other keys")
    elif len(passwords) > 1:
        return Clash("password", "invalid_auth", "excludes password_file: keep one")
    elif not passwords:
        return Clash("password_file", "missing_key", "is missing (or password)")
    elif "username" not in keys:
        return Clash("username", "missing_key", "is missing")
    return None


def transport_clash(url: str, *, plain_http: bool) -> Clash | None:
    """url: a checked one"""
    if url.startswith("https:"):
        if plain_http:
            words = "contradicts the https URL"
            return Clash("plain_http", "insecure_transport", words)
    elif not plain_http and not is_loopback(host_of(url)):
        words = "is not encrypted: use https, or say plain_http: true"
        return Clash("url", "insecure_transport", words, url)
    return None


def bind_clash(bind: str, *, anonymous_read: bool) -> Clash | None:
    """bind: a checked one"""
    host, _ = split_bind(bind)
    if anonymous_read or is_loopback(host):
        return None
    words = (
        "others can reach it and would read everything: say "
        "web.anonymous_read: true if they may, else bind to 127.0.0.1"
    )
    return Clash("bind", "anonymous_bind", words, bind)


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


def clashes(tree: Mapping[str, Plain]) -> Iterator[tuple[Path, Clash]]:
    """Every clash of what is written, with the path of its mapping. Values that are
    wrong themselves are left to their own checks."""
    registries = tree.get("registries")
    for index, entry in enumerate(registries if isinstance(registries, list) else ()):
        if isinstance(entry, dict):
            path: Path = ("registries", index)
            if (clash := _transport(entry)) is not None:
                yield path, clash
            if (clash := _auth(entry.get("auth"))) is not None:
                yield (*path, "auth"), clash
    web = tree.get("web")
    if isinstance(web, dict) and (clash := _bind(web)) is not None:
        yield ("web",), clash
    metrics = tree.get("metrics")
    if isinstance(metrics, dict) and (clash := _metrics(metrics)) is not None:
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
        return transport_clash(check_url(url), plain_http=plain_http)
    except PydanticCustomError:
        return None


def _bind(web: Mapping[str, Plain]) -> Clash | None:
    bind, anonymous_read = web.get("bind"), web.get("anonymous_read", False)
    if not isinstance(bind, str) or not isinstance(anonymous_read, bool):
        return None
    try:
        return bind_clash(bind, anonymous_read=anonymous_read)
    except PydanticCustomError:
        return None


def _metrics(metrics: Mapping[str, Plain]) -> Clash | None:
    max_series, pin = metrics.get("max_series", DEFAULT_MAX_SERIES), metrics.get("pin")
    if not isinstance(max_series, int) or not isinstance(pin, list):
        return None
    return metrics_clash(max_series, [name for name in pin if isinstance(name, str)])
