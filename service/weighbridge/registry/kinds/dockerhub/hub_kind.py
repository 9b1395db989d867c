"""Docker Hub as a kind of registry, with the keys that it has besides those of all.

Docker Hub has no catalog: what is discovered there are the repositories of namespaces
that somebody names. Its official images are called by one word and are kept in the
namespace `library`.
"""

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Self

from msgspec.structs import replace
from pydantic import Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from weighbridge.config import RegistrySettings
from weighbridge.config.registries.registry_settings import AUTO
from weighbridge.config.value.clashes import Clash, transport_clash, without
from weighbridge.config.value.value_types import RegistryURL
from weighbridge.domain.text.globs import EVERYTHING, Patterns
from weighbridge.registry.exchange.kind_signs import KindSigns
from weighbridge.registry.exchange.registry_kind import RegistryKind
from weighbridge.registry.kinds.dockerhub.hub_collector import COLLECTOR
from weighbridge.registry.login.credentials import LoginNames

if TYPE_CHECKING:
    from weighbridge.registry.exchange.endpoint import (
        Endpoint,
        KindAccess,
        KindRegistry,
    )


OFFICIAL: Final = "library"
"""The namespace of images that people call by one word."""
NAMESPACES: Final = 1_000

_HOST: Final = "registry-1.docker.io"
"""The host behind the name docker.io, which itself serves a web site."""
_NAMESPACE: Final = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*", re.ASCII)
_NAMESPACE_CHARACTERS: Final = 255


def full_name(repository: str) -> str:
    """`python` is library/python, also as a pattern; `*` stays every name."""
    is_word = "/" not in repository and "*" not in repository
    return f"{OFFICIAL}/{repository}" if is_word else repository


def hub_patterns(include: Sequence[str], namespaces: Sequence[str]) -> tuple[str, ...]:
    """`repositories.include` together with all of the namespaces; where only these are
    given, they are all that is meant."""
    given = () if namespaces and tuple(include) == EVERYTHING else tuple(include)
    return (*map(full_name, given), *(f"{name}/*" for name in namespaces))


def hub_namespaces(patterns: Sequence[str]) -> tuple[str, ...]:
    """The namespaces that must be listed to find what these patterns mean. A pattern
    without a star names its repository; one whose namespace has a star finds what the
    others list."""
    globs = (pattern for pattern in patterns if "*" in pattern)
    found = (glob.partition("/")[0] for glob in globs if "/" in glob)
    return tuple(dict.fromkeys(name for name in found if "*" not in name))


def _namespace(value: object) -> str:
    is_short = isinstance(value, str) and len(value) <= _NAMESPACE_CHARACTERS
    if isinstance(value, str) and is_short and _NAMESPACE.fullmatch(value):
        return value
    raise PydanticCustomError(
        "invalid_name", "must be a user or organisation of Docker Hub, in lower case"
    )


Namespace = Annotated[str, PlainValidator(_namespace)]


class DockerHubSettings(RegistrySettings):
    """An entry of Docker Hub.

    api_url:    `scheme://host[:port]` of its API; None: where Docker has it
    namespaces: whose repositories are crawled, all of them
    """

    hosts: ClassVar = MappingProxyType(
        dict.fromkeys(("docker.io", "index.docker.io", _HOST), _HOST)
    )

    url: RegistryURL
    api_url: RegistryURL | None = None
    namespaces: Annotated[tuple[Namespace, ...], Field(max_length=NAMESPACES)] = ()

    @property
    def wanted_repositories(self) -> Patterns:
        exclude = tuple(map(full_name, self.repositories.exclude))
        return Patterns(self._patterns, exclude)

    @property
    def listed_namespaces(self) -> tuple[str, ...]:
        """Those whose repositories are listed to find the wanted."""
        return hub_namespaces(self._patterns)

    @property
    def _patterns(self) -> tuple[str, ...]:
        return hub_patterns(self.repositories.include, self.namespaces)

    @model_validator(mode="after")
    def _names_its_api_and_what_is_meant(self) -> Self:
        clash = self._api_clash()
        # Who left the kind to us may only want to sign in there.
        if clash is None and self.kind != AUTO:
            clash = _nothing_meant(self._patterns)
        return without(self, clash)

    def _api_clash(self) -> Clash | None:
        """Whether the API is asked in the clear, or a password for one host would go to
        the API of another."""
        if self.api_url is not None and not self.api_url.startswith("https:"):
            clash = transport_clash(self.api_url, plain_http=self.plain_http)
            return None if clash is None else replace(clash, key="api_url")
        if self.host in self.hosts or self.api_url is not None:
            return None
        words = (
            "is missing: this host is not Docker Hub's, so say which API belongs to it"
        )
        return Clash("api_url", "missing_key", words)


def _nothing_meant(patterns: Sequence[str]) -> Clash | None:
    """patterns: as `hub_patterns` gives them"""
    if hub_namespaces(patterns) or any("*" not in pattern for pattern in patterns):
        return None
    words = (
        "is missing: Docker Hub has no list of all repositories, so name whose are"
        " meant, here or in repositories.include (acme/*, library/python)"
    )
    return Clash("namespaces", "missing_key", words)


def _open(endpoint: "Endpoint", access: "KindAccess") -> "KindRegistry":
    # Late: who only reads the configuration asks no registry.
    from weighbridge.registry.kinds.dockerhub.hub_registry import open_dockerhub

    return open_dockerhub(endpoint, access)


DOCKERHUB: Final = RegistryKind(
    settings=DockerHubSettings,
    open=_open,
    # Docker says nothing of it; that a layer is mounted there from one repository to
    # another speaks for it.
    storage_scope="registry",
    collector=COLLECTOR,
    full_name=full_name,
    login_names=LoginNames(
        hosts=frozenset((*DockerHubSettings.hosts, "registry.docker.io")),
        server="https://index.docker.io/v1/",
    ),
    # Of a host that only passes on what Docker Hub says, too.
    signs=KindSigns(
        services=frozenset({"registry.docker.io"}),
        realm=re.compile(r"https://auth\.docker\.io/token"),
    ),
)
