"""Finds out which repositories of a registry are to be crawled."""

import secrets
from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final

from weighbridge.engine.context.site import Scope
from weighbridge.engine.crawl.tombstones import PAGE, Catalog
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import DocumentError, RegistryError, TransportError
from weighbridge.ports.protocols import Registry
from weighbridge.store.registries.registry_rows import find_last_listing, note_discovery
from weighbridge.store.registries.repository_rows import (
    note_listed,
    put_repositories,
    repositories_of,
)

_FRESH: Final = 50_000


class NameSet:
    """A set of names that keeps eight bytes of each.

    They come from a hash with a key of this process, so that nobody can make two names
    that look alike; of a million, two do by chance once in 30 million sets.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._sorted = array("Q")
        self._fresh: set[int] = set()

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        mark = self._mark(name)
        if mark in self._fresh:
            return True
        place = bisect_left(self._sorted, mark)
        return place < len(self._sorted) and self._sorted[place] == mark

    def __bool__(self) -> bool:
        return bool(self._fresh or self._sorted)

    def update(self, names: Iterable[str]) -> None:
        """Add them."""
        self._fresh.update(map(self._mark, names))
        if len(self._fresh) > _FRESH:
            # Two sorted runs, one after the other: that is merged in one go.
            self._sorted.extend(sorted(self._fresh))
            self._sorted = array("Q", sorted(self._sorted))
            self._fresh.clear()

    def _mark(self, name: str) -> int:
        # A name may hold a lone surrogate, if a stranger made it.
        raw = name.encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(raw, digest_size=8, key=self._key).digest())


class Discovery:
    """The repositories of one registry within one scope."""

    def __init__(
        self,
        registry: Registry,
        scope: Scope,
        writer: Writer,
        clock: Callable[[], datetime],
    ) -> None:
        self._registry = registry
        self._scope = scope
        self._writer = writer
        self._clock = clock
        self._catalog: Catalog | None = None
        self._always: dict[str, int] = {}

    @property
    def catalog(self) -> Catalog | None:
        """The catalog, once it was read to its end without a doubt; None before that,
        and where it is not asked for."""
        return self._catalog

    @property
    def unlisted_names(self) -> list[int]:
        """Repositories that are configured by name, and that the catalog, once it was
        read, does not list."""
        if self._catalog is None:
            return []
        names = self._catalog.names
        return [number for name, number in self._always.items() if name not in names]

    async def pages(self, registry_id: int) -> AsyncIterator[dict[str, int]]:
        """Pages of repositories to crawl, stored as they are found. Those that
        the catalog no longer lists are crawled too: only their own answer says
        that they are gone."""
        asked = NameSet()
        if self._scope.only is not None:
            yield await self._put(registry_id, self._scope.only, asked)
            return
        self._always = await self._put(registry_id, self._scope.always, asked)
        yield self._always
        listed = NameSet()
        invalid = 0
        try:
            async for listing in self._registry.repositories():
                listed.update(listing.names)
                invalid += listing.invalid
                names = [n for n in listing.names if self._scope.wants_repository(n)]
                fresh = await self._put(registry_id, names, asked)
                await self._writer.write(note_listed, registry_id, names)
                yield fresh
        except (DocumentError, RegistryError, TransportError) as exc:
            if not isinstance(exc, TransportError):
                async for page in self._known_before(registry_id, asked):
                    yield page
            raise
        now = self._clock()
        if not invalid:  # a name that could not be read may be any repository's
            before = await self._writer.read(find_last_listing, registry_id)
            self._catalog = Catalog(listed, not listed, now, before)
        await self._writer.write(note_discovery, registry_id, complete=True, now=now)
        async for page in self._known_before(registry_id, asked):
            yield page

    async def _put(
        self, registry_id: int, names: Sequence[str], asked: NameSet
    ) -> dict[str, int]:
        fresh = [name for name in dict.fromkeys(names) if name not in asked]
        asked.update(fresh)
        if not fresh:
            return {}
        return await self._writer.write(
            put_repositories, registry_id, fresh, self._clock()
        )

    async def _known_before(
        self, registry_id: int, asked: NameSet
    ) -> AsyncIterator[dict[str, int]]:
        async for page in known_pages(self._writer, registry_id):
            fresh = {
                name: repository_id
                for name, repository_id in page.items()
                if name not in asked and self._scope.wants_repository(name)
            }
            if fresh:
                yield fresh


async def known_pages(
    writer: Writer, registry_id: int
) -> AsyncIterator[dict[str, int]]:
    """The id of every repository that a registry has or had last, by name."""
    after = 0
    while page := await writer.read(repositories_of, registry_id, after, PAGE):
        yield page
        after = max(page.values())
