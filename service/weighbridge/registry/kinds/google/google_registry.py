"""Google's registries: one answer has all tags of a repository with their digests, and
the names below a name, so that everything is found and known by `/v2` alone.

What an answer says of a tag is a claim: no image is stored by it. Each manifest is
asked for once ever, by the digest that was named.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final, TypeAlias

from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.registry.listing import RepositoryListing, TagPage
from weighbridge.domain.text.globs import EVERYTHING, Patterns, fits
from weighbridge.errors import (
    DocumentError,
    ListingError,
    NotFound,
    RateLimited,
    RegistryError,
)
from weighbridge.net.http1.head import Sender
from weighbridge.registry.exchange.endpoint import Endpoint, KindAccess
from weighbridge.registry.exchange.paging import ListingPage
from weighbridge.registry.exchange.registry_request import ORDINARY
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.google.google_key import read_key_file
from weighbridge.registry.kinds.google.google_kind import GoogleSettings, google_roots
from weighbridge.registry.kinds.google.google_listing import (
    GOOGLE_PAGE_BYTES,
    GoogleFolder,
    parse_google_folder,
    parse_google_tags,
)
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.telemetry import Telemetry

_AT_ONCE: Final = 8
"""Names that are looked at together."""
_Failure: TypeAlias = DocumentError | RegistryError


class GoogleRegistry(DistributionRegistry):
    """`ports.Registry` of Artifact Registry and Container Registry.

    wanted: repositories that are crawled; what their patterns begin with is where they
            are looked for
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Sender,
        telemetry: Telemetry,
        clock: Clock,
        wanted: Patterns,
    ) -> None:
        super().__init__(endpoint, connections, telemetry, clock=clock, words=ORDINARY)
        self._wanted = wanted

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        """What is below the names that the patterns begin with. A name that cannot be
        looked at does not keep the others from it: its error comes last."""
        roots = google_roots(self._wanted.include)
        if roots:
            async for listing in self._below(roots):
                yield listing
            return
        try:
            async for listing in super().repositories():
                yield listing
        except RegistryError as exc:
            if exc.retryable or isinstance(exc, RateLimited):
                raise
            raise ListingError(
                f"Google's registry gives no list of all repositories: {exc.message}",
                code="no_namespaces",
                hint="name below what to look in `repositories.include`, such as"
                " PROJECT/REPOSITORY/*",
            ) from exc

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        """All tags of a repository, with their digests. Raises NotFound where there is
        nothing of this name, whatever status says so."""

        def parse(raw: bytes) -> ListingPage:
            page = parse_google_tags(raw, repository)
            if not page.entries and parse_google_folder(raw, repository).is_empty:
                raise NotFound(
                    f"the registry holds nothing under the name {repository}",
                    code="name_unknown",
                    hint="it was deleted, or this user no longer sees it",
                )
            return page

        question = replace(
            self._questions.tags(repository), body_limit=GOOGLE_PAGE_BYTES
        )
        async for page in self._listing(question, parse):
            yield page.as_tags()

    async def _below(self, roots: Sequence[str]) -> AsyncIterator[RepositoryListing]:
        """Level by level, each name once."""
        walk = _Walk(self._wanted, roots)
        while names := walk.take(_AT_ONCE):
            found = await asyncio.gather(
                *map(self._look, names), return_exceptions=True
            )
            for name, folder in zip(names, found, strict=True):
                walk.note(name, folder)
            listing = walk.listing()
            if listing.names or listing.invalid:
                yield listing
        if walk.failed is not None:
            raise walk.failed

    async def _look(self, name: str) -> GoogleFolder:
        """What is under a name."""
        folders: list[GoogleFolder] = []

        def parse(raw: bytes) -> ListingPage:
            folder = parse_google_folder(raw, name)
            folders.append(folder)
            return ListingPage(folder.children, folder.invalid)

        question = replace(
            self._questions.tags(name),
            operation="catalog",
            body_limit=GOOGLE_PAGE_BYTES,
        )
        async for _ in self._listing(question, parse):
            pass
        return GoogleFolder(
            tuple(child for folder in folders for child in folder.children),
            sum(folder.invalid for folder in folders),
            any(folder.has_images for folder in folders),
        )


class _Walk:
    """From the roots to all that is below them.

    failed: the first error of a name that could not be looked at
    """

    def __init__(self, wanted: Patterns, roots: Sequence[str]) -> None:
        self._starts = [include.partition("*")[0] for include in wanted.include]
        self._cut = [exclude for exclude in wanted.exclude if exclude.endswith("*")]
        self._roots = frozenset(roots)
        self._seen: set[str] = set()
        self._waiting: deque[str] = deque()
        self._names: list[str] = []
        self._invalid = 0
        self.failed: _Failure | None = None
        self._add(roots)

    def take(self, most: int) -> list[str]:
        """The names to look at next."""
        count = min(most, len(self._waiting))
        return [self._waiting.popleft() for _ in range(count)]

    def listing(self) -> RepositoryListing:
        """What was found since the last time."""
        listing = RepositoryListing(tuple(self._names), self._invalid)
        self._names, self._invalid = [], 0
        return listing

    def note(self, name: str, found: GoogleFolder | BaseException) -> None:
        """Raises what is not about this name alone."""
        if isinstance(found, NotFound) and name not in self._roots:
            # The name above says that it is there: its own crawl tells what it is.
            self._names.append(name)
        elif isinstance(found, RateLimited) or not isinstance(
            found, GoogleFolder | DocumentError | RegistryError
        ):
            raise found
        elif isinstance(found, GoogleFolder):
            self._note_folder(name, found)
        else:
            self.failed = self.failed or found

    def _note_folder(self, name: str, folder: GoogleFolder) -> None:
        self._invalid += folder.invalid
        self._add(folder.children)
        if name not in self._roots:
            if folder.has_images or not folder.children:
                self._names.append(name)
        elif folder.is_empty:
            self.failed = self.failed or _nothing_below(name)
        elif folder.has_images:
            self._names.append(name)

    def _add(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._seen or not self._is_wanted(name):
                continue
            if len(self._seen) >= limits.REPOSITORIES_PER_REGISTRY:
                raise ListingError(
                    "there are more than"
                    f" {limits.REPOSITORIES_PER_REGISTRY} names below the roots",
                    code="too_large",
                )
            self._seen.add(name)
            self._waiting.append(name)

    def _is_wanted(self, name: str) -> bool:
        """Whether it, or a name below it, may be a wanted repository."""
        folder = f"{name}/"
        if any(fits(p, name) and fits(p, folder) for p in self._cut):
            return False
        return any(
            name.startswith(start)
            or folder.startswith(start)
            or start.startswith(folder)
            for start in self._starts
        )


def _nothing_below(name: str) -> ListingError:
    return ListingError(
        f"the registry shows nothing below {name}",
        code="empty_listing",
        hint="check the name, and that this user may read it: what was there before"
        " is kept",
    )


def open_google(endpoint: Endpoint, access: KindAccess) -> GoogleRegistry:
    """One that is closed by whoever opened it. Raises ConfigError(secret_file)."""
    settings = access.settings
    own = settings if isinstance(settings, GoogleSettings) else None
    if own is not None and own.key_file is not None:
        key = read_key_file(own.key_file)
        endpoint = replace(endpoint, credential=key.credential())
    return GoogleRegistry(
        endpoint,
        access.connections(endpoint),
        access.telemetry,
        access.clock,
        Patterns(EVERYTHING) if settings is None else settings.wanted_repositories,
    )
