"""The keys of one registry, and what holds for all of them."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from weighbridge.config.file.secret_file import read_secret_file
from weighbridge.config.registries.kinds import (
    AUTO,
    DOCKERHUB,
    KEEP_QUOTA,
    NAMESPACES,
    Kind,
    Namespace,
    Share,
    api_clash,
    full_pattern,
    hub_api_clash,
    hub_clash,
    hub_namespaces,
    hub_patterns,
    kind_clash,
    resolved_kind,
)
from weighbridge.config.value.clashes import auth_clash, transport_clash, without
from weighbridge.config.value.keys import StrictModel
from weighbridge.config.value.value_types import (
    PATTERNS,
    Hosts,
    Interval,
    Platforms,
    ReadableFile,
    RegistryName,
    RegistryURL,
    RepositoryPattern,
    SecretFile,
    SecretText,
    TagPattern,
    Username,
)
from weighbridge.config.value.written_address import host_of, is_loopback
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.domain.text.globs import EVERYTHING, Patterns
from weighbridge.domain.text.secret import Secret

REMOTE_REQUESTS_PER_SECOND: Final = 20.0
REMOTE_CONCURRENCY: Final = 8


class LimitSettings(StrictModel):
    """How fast a registry is asked. `requests_per_second: null` is no limit.

    keep_quota: the share of a quota of pulls that is left to others, 0 to 1

    A key that was not written is decided by `Settings.pace_of` and `keep_quota_of`.
    """

    requests_per_second: Annotated[
        float | None, Field(gt=0, le=100_000, allow_inf_nan=False)
    ] = REMOTE_REQUESTS_PER_SECOND
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = REMOTE_CONCURRENCY
    keep_quota: Share = KEEP_QUOTA


class DefaultSettings(StrictModel):
    """What holds for a registry that does not say otherwise."""

    interval: Interval = 3600
    limits: LimitSettings = LimitSettings()


class AuthSettings(StrictModel):
    """A user with a password (or the file that holds it), or a docker
    configuration file that knows the credentials."""

    username: Username | None = None
    password: SecretText | None = None
    password_file: SecretFile | None = None
    docker_config: ReadableFile | None = None

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        given = {key for key, value in self if value is not None}
        return without(self, auth_clash(frozenset(given)))

    def current_password(self) -> Secret | None:
        """The password as it is now: its file is read again, because it may have
        been rotated. Raises ConfigError(secret_file)."""
        if self.password_file is not None:
            return read_secret_file(self.password_file)
        return self.password


class RepositorySettings(StrictModel):
    """Which repositories are crawled; `*` matches across `/`."""

    include: Annotated[
        tuple[RepositoryPattern, ...], Field(min_length=1, max_length=PATTERNS)
    ] = EVERYTHING
    exclude: Annotated[tuple[RepositoryPattern, ...], Field(max_length=PATTERNS)] = ()

    @property
    def patterns(self) -> Patterns:
        return Patterns(self.include, self.exclude)


class TagSettings(StrictModel):
    """Which tags are read."""

    include: Annotated[
        tuple[TagPattern, ...], Field(min_length=1, max_length=PATTERNS)
    ] = EVERYTHING
    exclude: Annotated[tuple[TagPattern, ...], Field(max_length=PATTERNS)] = ()

    @property
    def patterns(self) -> Patterns:
        return Patterns(self.include, self.exclude)


class RegistrySettings(StrictModel):
    """One registry that is crawled.

    url:      `scheme://host[:port]`, checked and without a slash at its end
    api_url:  the same of the vendor's API; None where the vendor has it
    interval: seconds between two crawls of a repository, None for the default
    """

    name: RegistryName
    kind: Kind = AUTO
    url: RegistryURL
    api_url: RegistryURL | None = None
    namespaces: Annotated[tuple[Namespace, ...], Field(max_length=NAMESPACES)] = ()
    auth: AuthSettings | None = None
    repositories: RepositorySettings = RepositorySettings()
    tags: TagSettings = TagSettings()
    platforms: Platforms = (DEFAULT,)
    interval: Interval | None = None
    limits: LimitSettings = LimitSettings()
    ca_file: ReadableFile | None = None
    plain_http: bool = False
    trusted_realm_hosts: Hosts = ()
    trusted_storage_hosts: Hosts = ()
    address_class: Literal["public", "private", "loopback"] | None = None

    @property
    def host(self) -> str:
        return host_of(self.url)

    @property
    def is_docker_hub(self) -> bool:
        return resolved_kind(self.kind, self.host) == DOCKERHUB

    @property
    def wanted_repositories(self) -> Patterns:
        """Which repositories are crawled."""
        patterns = self.repositories.patterns
        if not self.is_docker_hub:
            return patterns
        exclude = tuple(map(full_pattern, patterns.exclude))
        return Patterns(self._hub_patterns, exclude)

    @property
    def listed_namespaces(self) -> tuple[str, ...]:
        """Of Docker Hub: those whose repositories are listed to find the wanted."""
        return hub_namespaces(self._hub_patterns)

    @property
    def _hub_patterns(self) -> tuple[str, ...]:
        return hub_patterns(self.repositories.include, self.namespaces)

    @property
    def is_loopback(self) -> bool:
        return self.address_class == "loopback" or is_loopback(self.host)

    @model_validator(mode="after")
    def _says_how_it_is_reached(self) -> Self:
        clash = transport_clash(self.url, plain_http=self.plain_http)
        if clash is None and self.api_url is not None:
            clash = api_clash(self.api_url, plain_http=self.plain_http)
        return without(self, clash)

    @model_validator(mode="after")
    def _says_what_its_kind_needs(self) -> Self:
        if not self.is_docker_hub:
            given = {"api_url": self.api_url, "namespaces": self.namespaces}
            return without(self, kind_clash({key for key in given if given[key]}))
        clash = hub_api_clash(self.host, self.api_url)
        # Who left the kind to us may only want to sign in there.
        if clash is None and self.kind == DOCKERHUB:
            clash = hub_clash(self._hub_patterns)
        return without(self, clash)
