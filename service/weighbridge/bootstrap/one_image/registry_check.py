"""Tries what a crawl needs of one registry, and says what it allows: signing in, its
listings, and one image. Nothing of it is kept besides what kind it shows to be."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar

from msgspec import Struct

from weighbridge.bootstrap.databases import checked_database
from weighbridge.bootstrap.one_image.weigh_image import weigh_with
from weighbridge.bootstrap.registries.clients import OpenClient, registry_client
from weighbridge.bootstrap.registries.sites import scope_of
from weighbridge.bootstrap.registries.targets import (
    Target,
    address_of,
    is_left_to_us,
    kind_of,
    named_targets,
)
from weighbridge.config import Settings
from weighbridge.config.registries.registry_settings import AUTO
from weighbridge.domain.image.reference import Reference
from weighbridge.domain.registry.found_kind import FoundKind
from weighbridge.domain.registry.rate_limit import RateLimit
from weighbridge.domain.size.weighing import Weighing
from weighbridge.domain.text.units import format_bytes
from weighbridge.engine.context.parts import Scope
from weighbridge.engine.weigh.weigh import within
from weighbridge.errors import NotFound, StoreError, WeighbridgeError
from weighbridge.ports.protocols import (
    JOB_COST,
    NamesRights,
    ProjectQuota,
    Registry,
    RequestCost,
    ShownRights,
    TellsQuotas,
)
from weighbridge.presentation.forms.phrases import plural
from weighbridge.telemetry import Telemetry

Page = TypeVar("Page")
StepName: TypeAlias = Literal["sign in", "repositories", "tags", "image"]
STEPS: Final[tuple[StepName, ...]] = ("sign in", "repositories", "tags", "image")
_BRIEFLY: Final = STEPS[:2]
_PAGES: Final = 5
"""Of a catalog, until one has a repository that is to be crawled."""
_TRIED: Final = 3
"""Repositories, until one has a tag that is to be crawled."""


class CheckStep(Struct, frozen=True):
    """One thing that was tried.

    seen:  what there was, for people
    error: why it failed; None where it did not, or was not tried (`is_left_out`)
    """

    name: StepName
    seen: str = ""
    error: WeighbridgeError | None = None
    is_left_out: bool = False


class RegistryCheck(Struct, frozen=True):
    """What a registry allows.

    kind:     what it is crawled as; sign: why
    found:    None where its kind is written, told by its host, or not known
    requests: that were sent, repeats included, by what each was for
    signs_in_with: where the credential is from, for people; never the secret
    certified_until: when the first certificate ends that was met; None: there was none
    rights:   what was allowed; None where this kind has no names of rights
    project_quotas: None where the registry tells none, or not to us
    """

    name: str
    url: str
    kind: str
    sign: str
    steps: tuple[CheckStep, ...]
    requests: Mapping[str, int]
    bytes_read: int
    seconds: float
    found: FoundKind | None = None
    rate_limit: RateLimit | None = None
    certified_until: datetime | None = None
    warnings: tuple[str, ...] = ()
    rights: ShownRights | None = None
    project_quotas: tuple[ProjectQuota, ...] | None = None
    signs_in_with: str = ""

    @property
    def has_failed(self) -> bool:
        return any(step.error is not None for step in self.steps)


def check_registries(
    settings: Settings,
    name: str,
    docker_config: Path | None,
    timeout_s: int,
    *,
    is_brief: bool = False,
) -> list[RegistryCheck]:
    """Try the registry of a configured name or an address; of an entry that is several,
    each of them, for so long.

    is_brief: only sign in and list repositories, and keep nothing

    Whatever they do is in the result. Raises UsageError(unknown_target,
    invalid_registry); for a single one ConfigError(secret_file) and
    TransportError(out_of_time) too, which of several end none but their own.
    """
    targets = named_targets(settings, name)
    return [
        _check(
            partial(_checked, settings, target, docker_config, is_brief),
            target,
            timeout_s,
            is_single=len(targets) == 1,
        )
        for target in targets
    ]


def _check(
    check: Callable[[], Awaitable[RegistryCheck]],
    target: Target,
    timeout_s: int,
    *,
    is_single: bool,
) -> RegistryCheck:
    began = time.monotonic()
    try:
        return asyncio.run(within(timeout_s, check()))
    except WeighbridgeError as exc:
        if is_single:
            raise
        first, *rest = STEPS
        steps = (
            CheckStep(first, error=exc),
            *(CheckStep(step, is_left_out=True) for step in rest),
        )
        kind, sign = _told_kind(target, None)
        took = time.monotonic() - began
        return RegistryCheck(target.name, target.url, kind, sign, steps, {}, 0, took)


async def _checked(
    settings: Settings, target: Target, docker_config: Path | None, is_brief: bool
) -> RegistryCheck:
    began, certified, cost = time.monotonic(), list[datetime](), RequestCost()
    mark = JOB_COST.set(cost)
    try:
        async with registry_client(
            settings,
            target,
            Telemetry(),
            docker_config=docker_config,
            keeps_quota=False,
            asks_kind=True,
            on_certificate=certified.append,
        ) as connected:
            wanted = _BRIEFLY if is_brief else STEPS
            steps = await _Checking(connected, target).run(wanted)
            registry, found = connected.registry, connected.found
            rights = registry.rights if isinstance(registry, NamesRights) else None
            quotas = None
            if isinstance(registry, TellsQuotas):
                quotas = registry.project_quotas
            warnings = tuple(problem.message for problem in connected.warnings)
    finally:
        JOB_COST.reset(mark)
    if found is not None and not is_brief:
        await asyncio.to_thread(_keep, settings, target, found)
    kind, sign = _told_kind(target, found)
    return RegistryCheck(
        name=target.name,
        url=target.url,
        kind=kind,
        sign=sign,
        steps=steps,
        requests=dict(cost.by_operation),
        bytes_read=cost.bytes_read,
        seconds=time.monotonic() - began,
        found=found,
        rate_limit=registry.rate_limit,
        rights=rights,
        project_quotas=quotas,
        certified_until=min(certified, default=None),
        warnings=warnings,
        signs_in_with=connected.login.way,
    )


def _told_kind(target: Target, found: FoundKind | None) -> tuple[str, str]:
    """What it is crawled as, and why."""
    if found is not None:
        return found.kind, found.sign
    kind = kind_of(target)
    if is_left_to_us(target):
        return kind, "it has not answered"
    if target.settings is not None and target.settings.kind != AUTO:
        return kind, "so it is written"
    if target.settings is None and kind == "distribution":
        return kind, "it is not configured"
    return kind, "its host is known"


def _keep(settings: Settings, target: Target, found: FoundKind) -> None:
    """Crawls go by it from now on. Without a database there is nothing to keep."""
    from weighbridge.store.registries.registry_rows import note_kind

    with (
        suppress(StoreError),
        checked_database(settings) as database,
        database.write() as connection,
    ):
        note_kind(connection, address_of(target.url), found.shown, found.sign)


class _Checking:
    """One check. Each step goes on with what the one before it has found."""

    def __init__(self, connected: OpenClient, target: Target) -> None:
        self._connected = connected
        self._registry: Registry = connected.registry
        self._scope: Scope = scope_of(target)
        self._name = target.name
        self._repositories: list[str] = []
        self._chosen: tuple[str, str] | None = None

    async def run(self, wanted: Sequence[StepName]) -> tuple[CheckStep, ...]:
        """wanted: how far; the others are left out"""
        steps: list[CheckStep] = []
        attempts = (self._sign_in, self._list, self._list_tags, self._read_image)
        for name, attempt in zip(wanted, attempts, strict=False):
            try:
                seen = await attempt()
            except WeighbridgeError as exc:
                steps.append(CheckStep(name, error=exc))
                if name == "sign in":
                    break
            else:
                left_out = seen is None
                steps.append(CheckStep(name, seen or "", is_left_out=left_out))
        rest = STEPS[len(steps) :]
        return (*steps, *(CheckStep(name, is_left_out=True) for name in rest))

    async def _sign_in(self) -> str:
        await self._connected.ping()
        is_own = self._connected.login.credential is None
        login = self._connected.asks_as() if is_own else ""
        return f"it answers and lets us in{f', as {login}' if login else ''}"

    async def _list(self) -> str:
        """Until a page has something that is to be crawled."""
        scope = self._scope
        self._repositories = list(scope.always if scope.only is None else scope.only)
        if scope.only is not None:
            return f"{plural(len(scope.only), 'name')} in the configuration"
        listed, pages = 0, 0
        async with _ended(self._registry.repositories()) as listing:
            async for page in listing:
                listed, pages = listed + len(page.names), pages + 1
                wanted = [n for n in page.names if scope.wants_repository(n)]
                self._repositories += wanted
                if wanted or pages == _PAGES:
                    break
        chosen = plural(len(set(self._repositories)), "repository", "repositories")
        return f"{chosen} to crawl among the first {listed:,} that it lists"

    async def _list_tags(self) -> str | None:
        missing: NotFound | None = None
        tried = list(dict.fromkeys(self._repositories))[:_TRIED]
        for repository in tried:
            try:
                tag = await self._first_tag(repository)
            except NotFound as exc:
                missing = missing or exc
                continue
            if tag is not None:
                self._chosen = repository, tag
                return f"{repository} has {tag}"
        if missing is not None:
            raise missing
        return f"none to crawl in {', '.join(tried)}" if tried else None

    async def _first_tag(self, repository: str) -> str | None:
        """Of its first page."""
        async with _ended(self._registry.tags(repository)) as listing:
            async for page in listing:
                names = (tag.name for tag in page.tags)
                return next(filter(self._scope.wants_tag, names), None)
        return None

    async def _read_image(self) -> str | None:
        if self._chosen is None:
            return None
        repository, tag = self._chosen
        reference = Reference(self._name, repository, tag, None)
        weighing = await weigh_with(
            self._connected, reference, platform=None, all_platforms=False
        )
        return f"{repository}:{tag}{_told(weighing)}"


@asynccontextmanager
async def _ended(listing: AsyncIterator[Page]) -> AsyncIterator[AsyncIterator[Page]]:
    """Ends it with the block, wherever it is."""
    try:
        yield listing
    finally:
        close = getattr(listing, "aclose", None)
        if close is not None:
            await close()


def _told(weighing: Weighing) -> str:
    if not weighing.images:
        return f" is of the kind {weighing.kind}"
    (image, *_) = weighing.images
    return f" for {image.platform}: {format_bytes(image.compressed_bytes)}"
