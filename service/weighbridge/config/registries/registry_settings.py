"""The keys of one registry, and what holds for all of them."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import (
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from weighbridge.config.file.regular_file import read_secret_file
from weighbridge.config.value.clashes import Clash, auth_clash, transport_clash, without
from weighbridge.config.value.proxy_settings import OptionalProxy
from weighbridge.config.value.value_types import (
    PATTERNS,
    Host,
    Hosts,
    Interval,
    Platforms,
    PrefixedURL,
    ReadableFile,
    RegistryName,
    RepositoryPattern,
    SecretFile,
    SecretText,
    StrictModel,
    TagPattern,
    Username,
)
from weighbridge.config.value.written_address import host_of, is_loopback, prefix_of
from weighbridge.config.yaml.reader import Plain
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.domain.image.reference import is_repository_name
from weighbridge.domain.text.globs import EVERYTHING, Patterns
from weighbridge.domain.text.printable import Secret
from weighbridge.domain.text.units import parse_percent
from weighbridge.errors import UsageError

AUTO: Final = "auto"
"""The kind that a registry's host tells."""
KEEP_QUOTA: Final = 0.5
REMOTE_REQUESTS_PER_SECOND: Final = 20.0
REMOTE_CONCURRENCY: Final = 8


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


Share = Annotated[
    float,
    PlainValidator(_share),
    PlainSerializer(lambda share: f"{100 * share:g}%"),
]


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
    """A user with a password (or the file that holds it), a file with a Bearer token,
    or a docker configuration file that knows the credentials."""

    username: Username | None = None
    password: SecretText | None = None
    password_file: SecretFile | None = None
    token_file: SecretFile | None = None
    docker_config: ReadableFile | None = None

    # No key: it is written `auth: ambient`.
    _is_ambient: bool = PrivateAttr(False)

    @property
    def is_ambient(self) -> bool:
        """Whether it is what this machine is, instead."""
        return self._is_ambient

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> object:
        return AMBIENT if self._is_ambient else write(self)

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if self._is_ambient:
            return self
        given = {key for key, value in self if value is not None}
        return without(self, auth_clash(frozenset(given)))

    @property
    def file(self) -> Path | None:
        """Where the secret is, whose content may be replaced at any time."""
        return self.password_file or self.token_file or self.docker_config

    def current_password(self) -> Secret | None:
        """The password as it is now: its file is read again, because it may have
        been rotated. Raises ConfigError(secret_file)."""
        if self.password_file is not None:
            return read_secret_file(self.password_file)
        return self.password


AMBIENT: Final = "ambient"
"""In place of a mapping: what this machine is to the vendor's cloud."""


def _ambient_or(value: object, check: ValidatorFunctionWrapHandler) -> object:
    """Raises PydanticCustomError(invalid_auth) for another word."""
    if not isinstance(value, str):
        return check(value)
    if value != AMBIENT:
        raise PydanticCustomError(
            "invalid_auth",
            "must be {ambient}, or keys such as username and password_file",
            {"ambient": AMBIENT},
        )
    ambient = AuthSettings.model_construct()
    ambient._is_ambient = True
    return ambient


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
    """One registry that is crawled: the keys of every kind. A kind with more has a
    model of its own, made from this one, beside its client.

    hosts:    the hosts that are known for this kind, each with the one where the
              registry is; all are one registry
    has_ambient: whether it knows what this machine is, by `auth: ambient`
    host_pattern: the whole host of each other registry that is known for it, in lower
              case, where a vendor has one for each customer
    url:      `scheme://host[:port][/prefix]`, checked and without a slash at its end;
              a kind whose registries are below no prefix takes none
    interval: seconds between two crawls of a repository, None for the default
    mirror_of: the host whose repositories it has, each by the same name
    """

    hosts: ClassVar[Mapping[str, str]] = MappingProxyType({})
    host_pattern: ClassVar[re.Pattern[str] | None] = None
    has_ambient: ClassVar[bool] = False

    name: RegistryName
    kind: str = AUTO
    url: PrefixedURL
    auth: Annotated[AuthSettings | None, WrapValidator(_ambient_or)] = None
    repositories: RepositorySettings = RepositorySettings()
    tags: TagSettings = TagSettings()
    platforms: Platforms = (DEFAULT,)
    interval: Interval | None = None
    limits: LimitSettings = LimitSettings()
    proxy: OptionalProxy = None
    ca_file: ReadableFile | None = None
    plain_http: bool = False
    trusted_realm_hosts: Hosts = ()
    trusted_storage_hosts: Hosts = ()
    address_class: Literal["public", "private", "loopback"] | None = None
    mirror_of: Host | None = None

    # No key: who writes an entry writes `name`.
    _entry: str = PrivateAttr("")

    @classmethod
    def implied_url(cls, written: Mapping[str, Plain]) -> str | None:
        """The URL of an entry whose other keys say it; None: it has to be written."""
        return None

    def parts(self) -> tuple["RegistrySettings", ...]:
        """The registries that the entry is, each by a name of its own. Itself, but of
        a kind whose keys may name several."""
        return (self,)

    @property
    def entry(self) -> str:
        """The name of the entry that it is, or is a part of."""
        return self._entry or self.name

    @property
    def host(self) -> str:
        return host_of(self.url)

    @property
    def prefix(self) -> str:
        """What of the URL stands between the host and `/v2`, "" for nothing."""
        return prefix_of(self.url)

    @property
    def wanted_repositories(self) -> Patterns:
        """Which repositories are crawled, by their whole names."""
        return self.repositories.patterns

    @property
    def named_repositories(self) -> tuple[str, ...]:
        """Whole names among these: they are asked for even where nothing lists them."""
        return tuple(filter(is_repository_name, self.wanted_repositories.include))

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that its keys name, whose content may be replaced at any time."""
        parts = [part for part in (self, self.auth, self.proxy) if part is not None]
        values = (value for part in parts for _, value in part)
        return tuple(value for value in values if isinstance(value, Path))

    @property
    def signs_in(self) -> bool:
        """Whether it has a credential, of whatever sort."""
        return self.auth is not None

    @property
    def is_loopback(self) -> bool:
        return self.address_class == "loopback" or is_loopback(self.host)

    @model_validator(mode="after")
    def _says_how_it_is_reached_and_as_whom(self) -> Self:
        clash = transport_clash(
            self.url, plain_http=self.plain_http, has_proxy=self.proxy is not None
        )
        return without(self, clash or self._ambient_clash())

    @property
    def is_ambient(self) -> bool:
        """Whether it is asked as what this machine is."""
        return self.auth is not None and self.auth.is_ambient

    def _ambient_clash(self) -> Clash | None:
        if not self.is_ambient or self.has_ambient:
            return None
        words = (
            "cannot be ambient for this registry: only kind: acr, kind: ecr and"
            " kind: google take the credentials of this machine; give username and"
            " password_file"
        )
        return Clash("auth", "invalid_auth", words)
