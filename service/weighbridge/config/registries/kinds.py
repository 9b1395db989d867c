"""Kinds of registries, and what the configuration of one of them means besides.

Docker Hub has no catalog: what is discovered there are the repositories of namespaces
that somebody names. Its official images are called by one word and are kept in the
namespace `library`.
"""

import re
from collections.abc import Sequence, Set
from typing import Annotated, Final

from msgspec.structs import replace
from pydantic import PlainSerializer, PlainValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from weighbridge.config.value.clashes import Clash, transport_clash
from weighbridge.domain.registry.registry_address import DOCKER_HUB_HOSTS
from weighbridge.domain.text.globs import EVERYTHING
from weighbridge.domain.text.units import parse_percent
from weighbridge.errors import UsageError

AUTO: Final = "auto"
DISTRIBUTION: Final = "distribution"
DOCKERHUB: Final = "dockerhub"
KINDS: Final = (AUTO, DISTRIBUTION, DOCKERHUB)
KEEP_QUOTA: Final = 0.5
NAMESPACES: Final = 1_000

_OFFICIAL: Final = "library"
_NAMESPACE: Final = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*", re.ASCII)
_NAMESPACE_CHARACTERS: Final = 255


def resolved_kind(kind: str, host: str) -> str:
    """What `auto` comes to for this host."""
    if kind != AUTO:
        return kind
    return DOCKERHUB if host in DOCKER_HUB_HOSTS else DISTRIBUTION


def hub_patterns(include: Sequence[str], namespaces: Sequence[str]) -> tuple[str, ...]:
    """`repositories.include` of Docker Hub together with all of the namespaces; where
    only these are given, they are all that is meant."""
    given = () if namespaces and tuple(include) == EVERYTHING else tuple(include)
    return (*map(full_pattern, given), *(f"{name}/*" for name in namespaces))


def hub_namespaces(patterns: Sequence[str]) -> tuple[str, ...]:
    """The namespaces that must be listed to find what these patterns mean. A pattern
    without a star names its repository; one whose namespace has a star finds what the
    others list."""
    globs = (pattern for pattern in patterns if "*" in pattern)
    found = (glob.partition("/")[0] for glob in globs if "/" in glob)
    return tuple(dict.fromkeys(name for name in found if "*" not in name))


def full_pattern(pattern: str) -> str:
    """`python` is library/python."""
    is_word = "/" not in pattern and "*" not in pattern
    return f"{_OFFICIAL}/{pattern}" if is_word else pattern


def api_clash(api_url: str, *, plain_http: bool) -> Clash | None:
    """api_url: a checked one"""
    if api_url.startswith("https:"):
        return None
    clash = transport_clash(api_url, plain_http=plain_http)
    return None if clash is None else replace(clash, key="api_url")


def kind_clash(keys: Set[str]) -> Clash | None:
    """keys: those written that only Docker Hub has, for a registry of another kind"""
    if not keys:
        return None
    return Clash(min(keys), "invalid_value", "is for kind: dockerhub alone")


def hub_api_clash(host: str, api_url: str | None) -> Clash | None:
    """Whether a password for one host would go to the API of another."""
    if host in DOCKER_HUB_HOSTS or api_url is not None:
        return None
    words = "is missing: this host is not Docker Hub's, so say which API belongs to it"
    return Clash("api_url", "missing_key", words)


def hub_clash(patterns: Sequence[str]) -> Clash | None:
    """patterns: as `hub_patterns` gives them"""
    if hub_namespaces(patterns) or any("*" not in pattern for pattern in patterns):
        return None
    words = (
        "is missing: Docker Hub has no list of all repositories, so name whose are"
        " meant, here or in repositories.include (acme/*, library/python)"
    )
    return Clash("namespaces", "missing_key", words)


def _kind(value: object) -> str:
    if isinstance(value, str) and value in KINDS:
        return value
    raise PydanticCustomError(
        "unknown_kind", "kinds of this version are {kinds}", {"kinds": ", ".join(KINDS)}
    )


def _namespace(value: object) -> str:
    is_short = isinstance(value, str) and len(value) <= _NAMESPACE_CHARACTERS
    if isinstance(value, str) and is_short and _NAMESPACE.fullmatch(value):
        return value
    raise PydanticCustomError(
        "invalid_name", "must be a user or organisation of Docker Hub, in lower case"
    )


def _share(value: object, info: ValidationInfo) -> float:
    """0 to 1, written as a percentage."""
    if info.mode == "python" and type(value) is float and 0 <= value <= 1:
        return value
    try:
        share = parse_percent(value) if isinstance(value, str) else None
    except UsageError:
        share = None
    if share is None or not 0 <= share <= 1:
        raise PydanticCustomError("invalid_percent", "must be 0% to 100%, such as 50%")
    return share


Kind = Annotated[str, PlainValidator(_kind)]
Namespace = Annotated[str, PlainValidator(_namespace)]
Share = Annotated[
    float,
    PlainValidator(_share),
    PlainSerializer(lambda share: f"{100 * share:g}%"),
]
