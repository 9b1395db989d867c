"""Every key of `weighbridge.yaml`, with its type, its default and its limits."""

from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from msgspec import Struct
from pydantic import Field, model_validator

from weighbridge.config.channels.channel_settings import Channels, Routes, routing_of
from weighbridge.config.policies.policy_files import PathPatterns, Policies
from weighbridge.config.registries.registry_settings import (
    REMOTE_CONCURRENCY,
    REMOTE_REQUESTS_PER_SECOND,
    DefaultSettings,
    RegistrySettings,
)
from weighbridge.config.value.clashes import (
    BIND,
    PRICE_KEYS,
    Clash,
    headers_clash,
    metrics_clash,
    metrics_tls_clash,
    prices_clash,
    sign_in_clash,
    without,
)
from weighbridge.config.value.tls_settings import TLSSettings
from weighbridge.config.value.value_types import (
    PATTERNS,
    BaseNames,
    Bind,
    Currency,
    DatabaseURL,
    GroupNames,
    HeaderName,
    KeptFor,
    Networks,
    Price,
    RedisURL,
    RegistryURL,
    RepositoryPattern,
    SecretFile,
    StrictModel,
    TagPattern,
)
from weighbridge.config.webhook_settings import Webhooks
from weighbridge.domain.access.sign_in import SignInProxy
from weighbridge.domain.base.base_repositories import (
    DEFAULT_BASES,
    BaseRepository,
    parse_base_repository,
)
from weighbridge.domain.limits import TAGS_PER_REPOSITORY, Retention
from weighbridge.domain.message.grouping import Route
from weighbridge.domain.reclaim.keep_rules import (
    DEFAULT_RULES,
    KeepRules,
    ReclaimChoice,
)
from weighbridge.domain.registry.listing import registry_address
from weighbridge.domain.series_budget import (
    DEFAULT_MAX_BASES,
    DEFAULT_MAX_SERIES,
    Budget,
    Family,
)
from weighbridge.domain.text.globs import Patterns
from weighbridge.domain.traffic.costs import Prices

LOOPBACK_CONCURRENCY: Final = 32
CRAWLS_S: Final = 30 * 24 * 3600
PUSHES_S: Final = 30 * 24 * 3600
NOTIFICATIONS_S: Final = 90 * 24 * 3600
UNTAGGED_IMAGES_S: Final = 400 * 24 * 3600
KEEP_DAYS_MAX: Final = 3660
SERIES_MIN: Final = 100
SERIES_MAX: Final = 1_000_000
BASES_MAX: Final = 1_000


class SignInProxySettings(StrictModel):
    """The headers in which a proxy says who signed in."""

    user_header: HeaderName
    groups_header: HeaderName
    admin_groups: GroupNames = ()

    @model_validator(mode="after")
    def _has_two_headers(self) -> Self:
        return without(self, headers_clash(self.user_header, self.groups_header))

    @property
    def proxy(self) -> SignInProxy:
        groups = frozenset(self.admin_groups)
        return SignInProxy(self.user_header, self.groups_header, groups)


class WebSettings(StrictModel):
    """Where pages, API and metrics are served, and to whom.

    tls: None: plain HTTP
    """

    bind: Bind = BIND
    anonymous_read: bool = False
    external_url: RegistryURL | None = None
    tls: TLSSettings | None = None
    trusted_proxies: Networks = ()
    auth_proxy: SignInProxySettings | None = None

    @property
    def sign_in_proxy(self) -> SignInProxy | None:
        return None if self.auth_proxy is None else self.auth_proxy.proxy

    @model_validator(mode="after")
    def _knows_the_address_of_the_sign_in_proxy(self) -> Self:
        needs = self.auth_proxy is not None and not self.trusted_proxies
        return without(self, sign_in_clash() if needs else None)


class MetricsSettings(StrictModel):
    """Where `/metrics*` is served, how many series `/metrics/repositories` may have,
    and which.

    bind:     a listener of their own, None for that of pages and API
    tls:      of that listener, None: it speaks plain HTTP
    pin:      repositories that stay when not all of them fit; `*` matches across `/`
    families: those that are wanted besides the core ones
    max_base_images: bases with series of their own, those that most stands on
    """

    bind: Bind | None = None
    tls: TLSSettings | None = None
    max_series: Annotated[int, Field(ge=SERIES_MIN, le=SERIES_MAX)] = DEFAULT_MAX_SERIES
    pin: Annotated[tuple[RepositoryPattern, ...], Field(max_length=PATTERNS)] = ()
    families: tuple[Family, ...] = ()
    max_base_images: Annotated[int, Field(ge=0, le=BASES_MAX)] = DEFAULT_MAX_BASES

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        made = without(self, metrics_clash(self.max_series, self.pin))
        return without(made, metrics_tls_clash(self.bind, has_tls=self.tls is not None))

    @property
    def budget(self) -> Budget:
        return Budget(self.max_series, self.pin, self.families, self.max_base_images)


class BasesSettings(StrictModel):
    """Which repositories are crawled to know what images start from.

    repositories: as people write them in `FROM`, without a tag
    """

    repositories: BaseNames = DEFAULT_BASES


class HistorySettings(StrictModel):
    """How long history is kept that nothing needs any more, in seconds; None: for
    ever."""

    crawls: KeptFor = CRAWLS_S
    pushes: KeptFor = PUSHES_S
    notifications: KeptFor = NOTIFICATIONS_S
    untagged_images: KeptFor = UNTAGGED_IMAGES_S

    @property
    def retention(self) -> Retention:
        return Retention(
            _period(self.crawls),
            _period(self.untagged_images),
            pushes=_period(self.pushes),
            notifications=_period(self.notifications),
        )


class PricesSettings(StrictModel):
    """What storing and pulling costs, for reports. None: no such cost is shown.

    stored_gb_month: a GB (10^9 bytes) that is stored for a month
    pulled_gb:       a GB that is pulled
    currency:        as ISO 4217 writes it
    """

    stored_gb_month: Price = None
    pulled_gb: Price = None
    currency: Currency = None

    @model_validator(mode="after")
    def _has_a_currency(self) -> Self:
        named = [k for k in PRICE_KEYS if getattr(self, k) is not None]
        return without(self, prices_clash(named, self.currency))

    @property
    def prices(self) -> Prices | None:
        """None where there is none."""
        if self.currency is None:
            return None
        return Prices(self.currency, self.stored_gb_month, self.pulled_gb)


class ReclaimSettings(StrictModel):
    """Which tags the report on reclaiming keeps: whatever one of the keys keeps.

    keep_newest: the tags of so many distinct images; null: no such rule
    keep_days:   tags that came to their place in so many days; null: no such rule
    keep_pulled_days: tags that were pulled in so many days, where the registry gives
                 such times; null: no such rule
    keep:        tags that one of these fits
    """

    keep_newest: Annotated[int, Field(ge=1, le=TAGS_PER_REPOSITORY)] | None = (
        DEFAULT_RULES.newest
    )
    keep_days: Annotated[int, Field(ge=1, le=KEEP_DAYS_MAX)] | None = DEFAULT_RULES.days
    keep_pulled_days: Annotated[int, Field(ge=1, le=KEEP_DAYS_MAX)] | None = None
    keep: Annotated[tuple[TagPattern, ...], Field(max_length=PATTERNS)] = (
        DEFAULT_RULES.patterns
    )

    @model_validator(mode="after")
    def _keeps_something(self) -> Self:
        numbers = (self.keep_newest, self.keep_days, self.keep_pulled_days)
        keeps = any(number is not None for number in numbers) or self.keep
        words = "keeps nothing together with keep_days: null and keep: []"
        clash = None if keeps else Clash("keep_newest", "invalid_value", words)
        return without(self, clash)

    @property
    def rules(self) -> KeepRules:
        return KeepRules(
            self.keep_newest, self.keep_days, self.keep, self.keep_pulled_days
        )


def _period(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


class Pace(Struct, frozen=True):
    """How fast one registry is asked; `requests_per_second` None is no limit."""

    requests_per_second: float | None
    concurrency: int


class Settings(StrictModel):
    """Everything that is configured, from file, environment and options.

    redis_url: set where several processes share the work
    """

    database_url: DatabaseURL
    database_url_file: SecretFile | None = None
    redis_url: RedisURL | None = None
    redis_url_file: SecretFile | None = None
    defaults: DefaultSettings = DefaultSettings()
    registries: tuple[RegistrySettings, ...] = ()
    bases: BasesSettings = BasesSettings()
    policy_files: PathPatterns = ()
    policies: Policies = ()
    webhooks: Webhooks = ()
    channels: Channels = ()
    routes: Routes = ()
    web: WebSettings = WebSettings()
    metrics: MetricsSettings = MetricsSettings()
    history: HistorySettings = HistorySettings()
    reclaim: ReclaimSettings = ReclaimSettings()
    prices: PricesSettings = PricesSettings()
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def names(self) -> frozenset[str]:
        """The configured names, which win over hosts in references."""
        return frozenset(registry.name for registry in self.registries)

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each configured registry, by its name."""
        return {registry.name: registry.url for registry in self.registries}

    @property
    def reclaim_choice(self) -> ReclaimChoice:
        """What the report on reclaiming keeps, and of whom it says nothing: entries of
        one address share what the registry stores, so a tag that is left out of one may
        hold what the others do."""
        addresses = {r.name: registry_address(r.url, r.hosts) for r in self.registries}
        part = {
            addresses[r.name] for r in self.registries if r.tags.patterns != Patterns()
        }
        in_part = frozenset(name for name, at in addresses.items() if at in part)
        return ReclaimChoice(self.reclaim.rules, in_part)

    @property
    def entries(self) -> frozenset[str]:
        """The names of the entries that are several registries."""
        return frozenset(r.entry for r in self.registries) - self.names

    def parts_of(self, entry: str) -> tuple[RegistrySettings, ...]:
        """The registries that such an entry is; none for another name."""
        if self.find_registry(entry) is not None:
            return ()
        return tuple(r for r in self.registries if r.entry == entry)

    def find_registry(self, name: str) -> RegistrySettings | None:
        return next((r for r in self.registries if r.name == name), None)

    @property
    def base_repositories(self) -> tuple[BaseRepository, ...]:
        """What `bases` names, each once."""
        names = self.names | self.entries
        found = (parse_base_repository(text, names) for text in self.bases.repositories)
        return tuple(dict.fromkeys(found))

    @property
    def message_routes(self) -> tuple[Route, ...]:
        """Where a violation is told once, by way of the outbox."""
        return self._routes_to(takes_messages=True)

    @property
    def alert_routes(self) -> tuple[Route, ...]:
        """Where all open violations are told again and again: Alertmanagers."""
        return self._routes_to(takes_messages=False)

    def _routes_to(self, *, takes_messages: bool) -> tuple[Route, ...]:
        named = {
            channel.name
            for channel in self.channels
            if channel.takes_messages == takes_messages
        }
        routes = routing_of(self.channels, self.routes)
        return tuple(route for route in routes if route.channel in named)

    def interval_of(self, registry: RegistrySettings) -> int:
        """Seconds between two crawls of a repository of this registry."""
        return registry.interval or self.defaults.interval

    def keep_quota_of(self, registry: RegistrySettings | None) -> float:
        """The share of a quota of pulls that is left to others, 0 to 1."""
        limits = self.defaults.limits if registry is None else registry.limits
        is_written = "keep_quota" in limits.model_fields_set
        return (limits if is_written else self.defaults.limits).keep_quota

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
