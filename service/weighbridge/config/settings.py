"""Every key of `weighbridge.yaml`, with its type, its default and its limits."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from weighbridge.config.across import (
    Clash,
    auth_clash,
    bind_clash,
    metrics_clash,
    transport_clash,
)
from weighbridge.config.address import host_of, is_loopback
from weighbridge.config.fields import (
    PATTERNS,
    Bind,
    DatabaseURL,
    Hosts,
    Interval,
    KeptFor,
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
from weighbridge.config.secret_file import read_secret_file
from weighbridge.domain.globs import EVERYTHING, Patterns
from weighbridge.domain.platform import DEFAULT
from weighbridge.domain.retention import Retention
from weighbridge.domain.secret import Secret
from weighbridge.domain.series import DEFAULT_MAX_SERIES, Budget, Family

KINDS: Final = ("auto", "distribution")
REMOTE_REQUESTS_PER_SECOND: Final = 20.0
REMOTE_CONCURRENCY: Final = 8
LOOPBACK_CONCURRENCY: Final = 32
PASSES_S: Final = 30 * 24 * 3600
UNTAGGED_IMAGES_S: Final = 400 * 24 * 3600
SERIES_MIN: Final = 100
SERIES_MAX: Final = 1_000_000


class Keys(BaseModel):
    """Strict: no unknown key, no guessed type; inputs stay out of error texts."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True
    )


Made = TypeVar("Made", bound=Keys)


def _without(made: Made, clash: Clash | None) -> Made:
    """The mapping, if its keys go together; else a fault that is told at one key."""
    if clash is None:
        return made
    context = {"at": clash.key, "message": clash.message, "shown": clash.shown}
    raise PydanticCustomError(clash.code, "{message}", context)


class LimitSettings(Keys):
    """How fast a registry is asked. `requests_per_second: null` is no limit.

    A key that was not written is decided by `Settings.pace_of`.
    """

    requests_per_second: Annotated[
        float | None, Field(gt=0, le=100_000, allow_inf_nan=False)
    ] = REMOTE_REQUESTS_PER_SECOND
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = REMOTE_CONCURRENCY


class DefaultSettings(Keys):
    """What holds for a registry that does not say otherwise."""

    interval: Interval = 3600
    limits: LimitSettings = LimitSettings()


class AuthSettings(Keys):
    """A user with a password (or the file that holds it), or a docker
    configuration file that knows the credentials."""

    username: Username | None = None
    password: SecretText | None = None
    password_file: SecretFile | None = None
    docker_config: ReadableFile | None = None

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        given = {key for key, value in self if value is not None}
        return _without(self, auth_clash(frozenset(given)))

    def current_password(self) -> Secret | None:
        """The password as it is now: its file is read again, because it may have
        been rotated. Raises ConfigError(secret_file)."""
        if self.password_file is not None:
            return read_secret_file(self.password_file)
        return self.password


class RepositorySettings(Keys):
    """Which repositories are looked at; `*` matches across `/`."""

    include: Annotated[
        tuple[RepositoryPattern, ...], Field(min_length=1, max_length=PATTERNS)
    ] = EVERYTHING
    exclude: Annotated[tuple[RepositoryPattern, ...], Field(max_length=PATTERNS)] = ()

    @property
    def patterns(self) -> Patterns:
        return Patterns(self.include, self.exclude)


class TagSettings(Keys):
    """Which tags are read."""

    include: Annotated[
        tuple[TagPattern, ...], Field(min_length=1, max_length=PATTERNS)
    ] = EVERYTHING
    exclude: Annotated[tuple[TagPattern, ...], Field(max_length=PATTERNS)] = ()

    @property
    def patterns(self) -> Patterns:
        return Patterns(self.include, self.exclude)


def _kind(value: object) -> str:
    if isinstance(value, str) and value in KINDS:
        return value
    raise PydanticCustomError(
        "unknown_kind", "kinds of this version are {kinds}", {"kinds": ", ".join(KINDS)}
    )


class RegistrySettings(Keys):
    """One registry that is crawled.

    url:      `scheme://host[:port]`, checked and without a slash at its end
    interval: seconds between two looks at a repository, None for the default
    """

    name: RegistryName
    kind: Annotated[str, PlainValidator(_kind)] = "auto"
    url: RegistryURL
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
    def is_loopback(self) -> bool:
        return self.address_class == "loopback" or is_loopback(self.host)

    @model_validator(mode="after")
    def _says_how_it_is_reached(self) -> Self:
        clash = transport_clash(self.url, plain_http=self.plain_http)
        return _without(self, clash)


class WebSettings(Keys):
    """Where pages, API and metrics are served, and to whom."""

    bind: Bind = "127.0.0.1:8080"
    anonymous_read: bool = False
    external_url: RegistryURL | None = None

    @model_validator(mode="after")
    def _is_private(self) -> Self:
        clash = bind_clash(self.bind, anonymous_read=self.anonymous_read)
        return _without(self, clash)


class MetricsSettings(Keys):
    """How many series `/metrics/repositories` may have, and which.

    pin:      repositories that stay when not all of them fit; `*` matches across `/`
    families: those that are wanted besides the core ones
    """

    max_series: Annotated[int, Field(ge=SERIES_MIN, le=SERIES_MAX)] = DEFAULT_MAX_SERIES
    pin: Annotated[tuple[RepositoryPattern, ...], Field(max_length=PATTERNS)] = ()
    families: tuple[Family, ...] = ()

    @model_validator(mode="after")
    def _has_room_for_what_is_pinned(self) -> Self:
        return _without(self, metrics_clash(self.max_series, self.pin))

    @property
    def budget(self) -> Budget:
        return Budget(self.max_series, self.pin, self.families)


class HistorySettings(Keys):
    """How long history is kept that nothing needs any more, in seconds; None: for
    ever."""

    passes: KeptFor = PASSES_S
    untagged_images: KeptFor = UNTAGGED_IMAGES_S

    @property
    def retention(self) -> Retention:
        return Retention(_period(self.passes), _period(self.untagged_images))


def _period(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one registry is asked; `requests_per_second` None is no limit."""

    requests_per_second: float | None
    concurrency: int


class Settings(Keys):
    """Everything that is configured, from file, environment and options."""

    database_url: DatabaseURL
    database_url_file: SecretFile | None = None
    defaults: DefaultSettings = DefaultSettings()
    registries: tuple[RegistrySettings, ...] = ()
    web: WebSettings = WebSettings()
    metrics: MetricsSettings = MetricsSettings()
    history: HistorySettings = HistorySettings()
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def names(self) -> frozenset[str]:
        """The configured names, which win over hosts in references."""
        return frozenset(registry.name for registry in self.registries)

    def find_registry(self, name: str) -> RegistrySettings | None:
        return next((r for r in self.registries if r.name == name), None)

    def interval_of(self, registry: RegistrySettings) -> int:
        """Seconds between two looks at a repository of this registry."""
        return registry.interval or self.defaults.interval

    def pace_of(
        self, registry: RegistrySettings | None, *, loopback: bool = False
    ) -> Pace:
        """The registry's own limits, else the configured defaults, else what is
        polite: 8 in flight and 20 a second, on loopback 32 and no rate.

        registry: None for an address that is not configured
        """
        is_near = loopback or (registry is not None and registry.is_loopback)
        pace = Pace(None, LOOPBACK_CONCURRENCY) if is_near else _REMOTE
        written = [self.defaults.limits, *([registry.limits] if registry else [])]
        for limits in written:
            if "requests_per_second" in limits.model_fields_set:
                pace = Pace(limits.requests_per_second, pace.concurrency)
            if "concurrency" in limits.model_fields_set:
                pace = Pace(pace.requests_per_second, limits.concurrency)
        return pace


_REMOTE: Final = Pace(REMOTE_REQUESTS_PER_SECOND, REMOTE_CONCURRENCY)
