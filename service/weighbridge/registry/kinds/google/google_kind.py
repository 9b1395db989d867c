"""Google's registries as a kind, with the keys that they have besides those of all.

Nobody lists all repositories of a host: what is discovered is below the projects and
repositories that somebody names, `PROJECT/REPOSITORY/*`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Self

from msgspec.structs import replace
from pydantic import AfterValidator, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from weighbridge.config import RegistrySettings
from weighbridge.config.registries.registry_settings import AUTO
from weighbridge.config.value.clashes import Clash, transport_clash, without
from weighbridge.config.value.value_types import ReadableFile, RegistryURL
from weighbridge.domain.image.reference import is_repository_name
from weighbridge.errors import ConfigError
from weighbridge.registry.exchange.kind_signs import KindSigns
from weighbridge.registry.exchange.registry_kind import RegistryKind
from weighbridge.registry.kinds.google.google_collector import COLLECTOR
from weighbridge.registry.kinds.google.google_key import read_key_file

if TYPE_CHECKING:
    from weighbridge.registry.exchange.endpoint import (
        Endpoint,
        KindAccess,
        KindRegistry,
    )

_CONTAINER_REGISTRY: Final = ("gcr.io", "asia.gcr.io", "eu.gcr.io", "us.gcr.io")
# A location is a region or a multi-region
# (cloud.google.com/artifact-registry/docs/repositories/repo-locations).
_ARTIFACT_REGISTRY: Final = r"([a-z]+(?:-[a-z]+[0-9]+)?)-docker\.pkg\.dev"
_ARTIFACT_HOST: Final = re.compile(_ARTIFACT_REGISTRY, re.ASCII)
_LOCATION: Final = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)


def location_of(host: str) -> str:
    """Of Artifact Registry, by its host; "" for any other."""
    found = _ARTIFACT_HOST.fullmatch(host)
    return "" if found is None else found[1]


def google_roots(patterns: Sequence[str]) -> tuple[str, ...]:
    """The names below which is looked for what these patterns mean: what each has
    before its first star, up to a slash. A pattern without a star names its repository;
    one without such a beginning chooses among what the others find."""
    globs = (pattern for pattern in patterns if "*" in pattern)
    found = (glob.partition("*")[0].rpartition("/")[0] for glob in globs)
    return tuple(dict.fromkeys(name for name in found if is_repository_name(name)))


def _key_file(path: Path) -> Path:
    try:
        read_key_file(path)
    except ConfigError as exc:
        raise PydanticCustomError("secret_file", "{why}", {"why": exc.message}) from exc
    return path


def _location(value: object) -> str:
    if isinstance(value, str) and _LOCATION.fullmatch(value):
        return value
    raise PydanticCustomError(
        "invalid_name", "must be a location of Google, such as europe-west1"
    )


class GoogleSettings(RegistrySettings):
    """An entry of Artifact Registry or Container Registry.

    key_file: the key of a service account, in place of `auth`
    api_url:  `scheme://host[:port]` of Artifact Registry's API; None: where Google has
              it, for a host of Artifact Registry
    location: in which the API has the repositories; None: what the host says
    """

    hosts: ClassVar = MappingProxyType({host: host for host in _CONTAINER_REGISTRY})
    host_pattern: ClassVar = _ARTIFACT_HOST
    has_ambient: ClassVar = True

    url: RegistryURL
    key_file: Annotated[ReadableFile, AfterValidator(_key_file)] | None = None
    api_url: RegistryURL | None = None
    location: Annotated[str, PlainValidator(_location)] | None = None

    @property
    def signs_in(self) -> bool:
        return super().signs_in or self.key_file is not None

    @property
    def roots(self) -> tuple[str, ...]:
        """Below what repositories are looked for."""
        return google_roots(self.repositories.include)

    @model_validator(mode="after")
    def _signs_in_one_way_and_says_what_is_meant(self) -> Self:
        return without(self, self._clash())

    def _clash(self) -> Clash | None:
        if self.key_file is not None and self.auth is not None:
            return Clash("key_file", "invalid_auth", "excludes auth: keep one")
        if (clash := self._api_clash()) is not None:
            return clash
        # Who left the kind to us may only want to sign in there, and Container
        # Registry may have a catalog.
        if self.kind == AUTO or self.host in _CONTAINER_REGISTRY or self._is_meant:
            return None
        words = (
            "must say below what to look: Google's registries have no list of all"
            " repositories, so write include: [PROJECT/REPOSITORY/*]"
        )
        return Clash("repositories", "missing_key", words)

    def _api_clash(self) -> Clash | None:
        """Whether the API is asked in the clear, or for what nobody says. Who sees a
        token is a matter of both keys, where the host is not Google's."""
        is_known = bool(location_of(self.host))
        if self.api_url is None:
            if self.location is None or is_known:
                return None
            words = "is missing: this host is not Google's, so say which API has it"
            return Clash("api_url", "missing_key", words)
        if self.location is None and not is_known:
            words = "is missing: it is not in the name of this host"
            return Clash("location", "missing_key", words)
        if self.api_url.startswith("https:"):
            return None
        clash = transport_clash(self.api_url, plain_http=self.plain_http)
        return None if clash is None else replace(clash, key="api_url")

    @property
    def _is_meant(self) -> bool:
        include = self.repositories.include
        return bool(self.roots) or any("*" not in pattern for pattern in include)


def _open(endpoint: "Endpoint", access: "KindAccess") -> "KindRegistry":
    # Late: who only reads the configuration asks no registry.
    from weighbridge.registry.kinds.google.google_registry import open_google

    return open_google(endpoint, access)


GOOGLE: Final = RegistryKind(
    settings=GoogleSettings,
    open=_open,
    # Container Registry keeps the images of a host in one bucket a project
    # (cloud.google.com/container-registry/docs/overview). Of Artifact Registry nothing
    # is said.
    storage_scope="project",
    collector=COLLECTOR,
    # Of a host that only passes on what Google says, too.
    signs=KindSigns(
        realm=re.compile(
            rf"https://(?:(?:[a-z]+\.)?gcr\.io|{_ARTIFACT_REGISTRY})/v2/token", re.ASCII
        ),
    ),
)
