"""GitHub's container registry as a kind, with the keys that it has besides those of
all.

GitHub has no catalog: what is discovered there are the packages of organisations and
users that somebody names. Both have listings of their own, and nothing in a name tells
which it is of.
"""

import re
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
from weighbridge.registry.kinds.ghcr.ghcr_collector import COLLECTOR

if TYPE_CHECKING:
    from weighbridge.registry.exchange.endpoint import (
        Endpoint,
        KindAccess,
        KindRegistry,
    )

OWNERS: Final = 1_000

_HOST: Final = "ghcr.io"
_API_URL: Final = "https://api.github.com"
# docs.github.com, "Network details for GHE.com": containers.SUBDOMAIN.ghe.com and
# api.SUBDOMAIN.ghe.com belong together.
_RESIDENT: Final = re.compile(r"containers\.([a-z0-9][a-z0-9-]{0,62})\.ghe\.com")
_RESIDENT_API: Final = re.compile(r"https://api\.[a-z0-9-]+\.ghe\.com")
_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)


def _owner(value: object) -> str:
    if isinstance(value, str) and _LOGIN.fullmatch(value):
        # Its registry has lower case alone, its API takes either.
        return value.lower()
    raise PydanticCustomError(
        "invalid_name", "must be the name of an organisation or user of GitHub"
    )


Owner = Annotated[str, PlainValidator(_owner)]
Owners = Annotated[tuple[Owner, ...], Field(max_length=OWNERS)]


class GHCRSettings(RegistrySettings):
    """An entry of GitHub's container registry.

    api_url: `scheme://host[:port]` of GitHub's API; None: where GitHub has it
    organizations, users: whose packages are listed
    """

    hosts: ClassVar = MappingProxyType({_HOST: _HOST})
    host_pattern: ClassVar = _RESIDENT

    url: RegistryURL
    api_url: RegistryURL | None = None
    organizations: Owners = ()
    users: Owners = ()

    @property
    def owners(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.organizations, *self.users)))

    @property
    def wanted_repositories(self) -> Patterns:
        """Without `include`, all repositories of these owners."""
        patterns = self.repositories.patterns
        if patterns.include != EVERYTHING or not self.owners:
            return patterns
        return Patterns(tuple(f"{name}/*" for name in self.owners), patterns.exclude)

    @property
    def known_api_url(self) -> str | None:
        """None where nobody has said it."""
        return self.api_url or vendor_api_url(self.host)

    @model_validator(mode="after")
    def _names_its_api_and_what_is_meant(self) -> Self:
        clash = self._api_clash() or self._owner_clash()
        # Who left the kind to us may only want to sign in there.
        if clash is None and self.kind != AUTO:
            clash = _nothing_meant(self)
        return without(self, clash)

    def _api_clash(self) -> Clash | None:
        """Whether the API is asked in the clear, or a token for one host would go to
        the API of another."""
        if self.api_url is not None and not self.api_url.startswith("https:"):
            clash = transport_clash(self.api_url, plain_http=self.plain_http)
            return None if clash is None else replace(clash, key="api_url")
        if self.known_api_url is not None or not self.owners:
            return None
        words = (
            "is missing: this host is not GitHub's own, so say which API belongs to"
            " it, such as https://github.example"
        )
        return Clash("api_url", "missing_key", words)

    def _owner_clash(self) -> Clash | None:
        if self.owners and self.auth is None:
            words = (
                "is missing: GitHub lists packages only to a classic personal access"
                " token with read:packages"
            )
            return Clash("auth", "missing_key", words)
        twice = set(self.organizations) & set(self.users)
        if twice:
            words = "is an organisation too: keep it where it belongs"
            return Clash("users", "duplicate_name", words, min(twice))
        return None


def _nothing_meant(settings: GHCRSettings) -> Clash | None:
    if settings.owners or all("*" not in p for p in settings.repositories.include):
        return None
    words = (
        "is missing: GitHub has no list of all repositories, so name whose packages"
        " are meant, here or in users, or whole names in repositories.include"
        " (acme/app)"
    )
    return Clash("organizations", "missing_key", words)


def vendor_api_url(host: str) -> str | None:
    """The API that belongs to a registry of GitHub's own; None for any other host."""
    if host == _HOST:
        return _API_URL
    resident = _RESIDENT.fullmatch(host)
    return None if resident is None else f"https://api.{resident[1]}.ghe.com"


def api_root(url: str) -> str:
    """Where the paths of the API at this address begin: a GitHub Enterprise Server has
    them below /api/v3 (docs.github.com, enterprise-server, "Getting started with the
    REST API"). url: checked, without a slash at its end"""
    return url if is_of_github(url) else f"{url}/api/v3"


def is_of_github(url: str) -> bool:
    """Whether the API at this address is run by GitHub itself."""
    return url == _API_URL or _RESIDENT_API.fullmatch(url) is not None


def _open(endpoint: "Endpoint", access: "KindAccess") -> "KindRegistry":
    # Late: who only reads the configuration asks no registry.
    from weighbridge.registry.kinds.ghcr.ghcr_registry import open_ghcr

    return open_ghcr(endpoint, access)


GHCR: Final = RegistryKind(
    settings=GHCRSettings,
    open=_open,
    # GitHub says nothing of it. A layer is mounted from one package to another there,
    # and what is shared is counted once for all that are crawled.
    storage_scope="registry",
    collector=COLLECTOR,
    signs=KindSigns(
        services=frozenset({_HOST}),
        realm=re.compile(
            r"https://(?:ghcr\.io|containers\.[a-z0-9-]+\.ghe\.com)/token"
        ),
    ),
)
