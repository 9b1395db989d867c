"""The job SEED: reads what images stand on from repositories that are named for that
alone, a few tags of each.

Nothing of them is crawled: they are in no total, no list and under no limit. Of a tag
the manifest is read, of an index the images of the platforms that are wanted; their
layers become a base, which is never forgotten. So a repository costs what its listing
costs once in a while, and each image its documents once ever. What a run does not get
to is left to the next one, which finds in the database what was read.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import structlog
from msgspec import Struct

from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.domain.base.tags_to_read import tags_to_read
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import (
    Artifact,
    Child,
    Image,
    Index,
    Manifest,
    ParsedManifest,
)
from weighbridge.domain.image.manifest import parse_manifest
from weighbridge.domain.image.platform import Platform, matches
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.engine.context.crawl_context import reader_of
from weighbridge.engine.context.parts import Parts, Site
from weighbridge.engine.documents.document_reader import Reader
from weighbridge.errors import (
    DocumentError,
    NotFound,
    RateLimited,
    RegistryError,
    TransportError,
    UsageError,
    WeighbridgeError,
)
from weighbridge.ports.job_names import SEED
from weighbridge.ports.protocols import JOB_COST, Registry, RequestCost
from weighbridge.store.bases.base_names import build_of
from weighbridge.store.bases.readings import (
    BaseReading,
    due_readings,
    known_tags_of_base,
    note_base_tags,
    note_reading,
    plan_readings,
)
from weighbridge.store.facts.blobs import find_blobs
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.facts.interned import platform_ids
from weighbridge.store.leases.jobs import Job
from weighbridge.store.session import Connection

EVERY: Final = timedelta(hours=6)
"""From one reading of all bases of a registry to the next."""
SOON: Final = timedelta(minutes=10)
"""To the next run, where one did not get to the end."""
AGAIN: Final = timedelta(hours=1)
"""The same where the registry wants to be left alone and does not say how long."""
REQUESTS: Final = 200
"""So many requests does a run make at most, but for those of the tag it is at."""
PAGES: Final = 10
"""So much of a listing is read. Docker Hub lists what was pushed last first."""


async def seed(parts: Parts, site: Site) -> None:
    """Read the bases of a registry, if that is due. Whatever the registry does is
    stored. Raises StoreError."""
    bases = site.seeded_bases
    if not bases:
        return
    async with parts.shared.doing(Job(SEED, site.name), EVERY) as claimed:
        if claimed is None:
            return
        of_site = {site.name: bases}
        await parts.writer.write(plan_readings, of_site, is_all=False)
        seeding = _Seeding(parts, site)
        with suppress(UsageError, RegistryError, TransportError):
            # What keeps it from being opened is told by its crawls.
            async with parts.asking(site) as connected:
                await seeding.run(connected.registry, bases)
        if seeding.wait is not None:
            await parts.shared.put_off(claimed, seeding.wait)


class _Read(Struct, frozen=True):
    """What a digest led to: images of the wanted platforms."""

    digest: Digest
    images: Sequence[Image]


class _Seeding:
    """One run.

    wait: so long until the next one; None: until it is time
    """

    def __init__(self, parts: Parts, site: Site) -> None:
        self.parts = parts
        self.site = site
        self._cost = RequestCost()
        self._log = structlog.get_logger("weighbridge.bases")
        self.wait: timedelta | None = AGAIN

    async def run(self, registry: Registry, bases: Sequence[BasePlace]) -> None:
        """Read them in turn, the one that has waited longest first."""
        self._cost = JOB_COST.get() or self._cost
        self.wait = None
        reader = reader_of(registry, self.parts.writer)
        due = await self.parts.writer.read(
            due_readings, bases, EVERY, AGAIN, self.parts.clock()
        )
        for base in due:
            if self._is_spent:
                self.wait = SOON
                return
            try:
                await _Repository(self, registry, reader, base).read()
            except RateLimited as exc:
                await self.note_failure(base, exc)
                pause = timedelta(seconds=exc.retry_after or 0)
                self.wait = min(max(pause, SOON), EVERY) if pause else AGAIN
                return
            except TransportError as exc:
                await self.note_failure(base, exc)
                self.wait = AGAIN
                return
            except (DocumentError, RegistryError) as exc:
                if isinstance(exc, NotFound) and not self.site.seeds_when_asked:
                    # Nobody has named it: a mirror need not have every official image.
                    await self._note_none(base)
                    continue
                await self.note_failure(base, exc)
                self.wait = self.wait or AGAIN

    @property
    def _is_spent(self) -> bool:
        return self._cost.requests >= REQUESTS

    @property
    def may_ask(self) -> bool:
        """Whether this run may ask for more."""
        return not self._is_spent

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """Those whose images are read."""
        return self.site.scope.platforms

    def stop(self) -> None:
        """There is more to read."""
        self.wait = SOON

    async def _note_none(self, base: BasePlace) -> None:
        reading = BaseReading(self.site.name, tags_wanted=0)
        await self.parts.writer.write(note_reading, base, reading, self.parts.clock())

    async def note_failure(self, base: BasePlace, exc: WeighbridgeError) -> None:
        """Keep why a repository could not be read to its end; what was known stays."""
        reading = BaseReading(self.site.name, exc.code, exc.message)
        is_news = await self.parts.writer.write(
            note_reading, base, reading, self.parts.clock()
        )
        tell = self._log.warning if is_news else self._log.debug
        tell(
            "a base's repository could not be read; what was known of it is kept",
            registry=self.site.name,
            repository=base.name,
            code=exc.code,
            why=exc.message,
        )


class _Repository:
    """One repository in one run."""

    def __init__(
        self, seeding: _Seeding, registry: Registry, reader: Reader, base: BasePlace
    ) -> None:
        self._seeding = seeding
        self._registry = registry
        self._reader = reader
        self._base = base
        self._writer = seeding.parts.writer
        self._read: dict[Digest, _Read] = {}

    async def read(self) -> None:
        """Raises RegistryError, TransportError, DocumentError for what ends it."""
        base, clock = self._base, self._seeding.parts.clock
        platforms = self._seeding.platforms
        known = await self._writer.read(known_tags_of_base, base)
        listed, is_whole = await self._list()
        wanted = tags_to_read(
            listed.values(), known.in_use, systems={p.os for p in platforms}
        )
        # A run may end before all of them were asked about.
        wanted.sort(key=lambda tag: tag.name in known.leads_to)
        names = {tag.name for tag in wanted}
        done = faults = 0
        fault = ""
        for tag in wanted:
            if not self._seeding.may_ask:
                self._seeding.stop()
                break
            try:
                await self._read_tag(tag, known.leads_to)
            except (RateLimited, TransportError):
                await self._note(len(wanted), done, "", "")
                raise
            except (NotFound, DocumentError) as exc:
                # It was deleted since it was listed, or is no image.
                faults, fault = faults + 1, exc.code
            done += 1
        gone = [tag for tag in known.leads_to if is_whole and tag not in listed]
        moved = [
            tag.name
            for tag in listed.values()
            if tag.digest is not None
            and tag.name in known.leads_to
            and tag.digest not in known.leads_to[tag.name]
            and tag.name not in names
        ]
        if gone or moved:
            left = dict.fromkeys([*gone, *moved], ())
            await self._writer.write(note_base_tags, base, left, clock())
        tags = "1 tag" if faults == 1 else f"{faults} tags"
        why = f"{tags} could not be read ({fault})" if faults else ""
        await self._note(len(wanted), done, "", why)

    async def _list(self) -> tuple[Mapping[str, TagSeen], bool]:
        """Tags, and whether these are all."""
        found: dict[str, TagSeen] = {}
        pages = 0
        async for page in self._registry.tags(self._base.name):
            found.update((tag.name, tag) for tag in page.tags)
            pages += 1
            if pages == PAGES:
                return found, False
        return found, True

    async def _read_tag(
        self, tag: TagSeen, leads_to: Mapping[str, frozenset[Digest]]
    ) -> None:
        digest = tag.digest
        if digest is None:
            digest = await self._registry.head_manifest(self._base.name, tag.name)
        if digest is not None and digest in leads_to.get(tag.name, ()):
            return
        read = None if digest is None else self._read.get(digest)
        if read is None:
            read = await self._documents(digest or tag.name)
            self._read[read.digest] = read
        now = self._seeding.parts.clock()
        await self._writer.write(_keep_tag, self._base, tag.name, read, now)

    async def _documents(self, reference: str) -> _Read:
        name = self._base.name
        transfer, answer = await self._reader.top(name, reference)
        try:
            parsed = parse_manifest(answer.content, answer.content_type)
        finally:
            transfer.end()
        if not isinstance(parsed, Index):
            image = await self._image(parsed, None)
            return _Read(answer.digest, [] if image is None else [image])
        images = []
        for child in _wanted_children(parsed, self._seeding.platforms):
            document = await self._reader.get_child(name, child)
            image = await self._image(document, child.descriptor.platform)
            if image is not None:
                images.append(image)
        return _Read(answer.digest, images)

    async def _image(
        self, parsed: ParsedManifest, hint: Platform | None
    ) -> Image | None:
        if not isinstance(parsed, Manifest | Artifact):
            return None
        document = await self._reader.settled(self._base.name, parsed, hint)
        return document if isinstance(document, Image) else None

    async def _note(self, wanted: int, read: int, code: str, why: str) -> None:
        seeding = self._seeding
        reading = BaseReading(seeding.site.name, code, why, wanted, read)
        await self._writer.write(
            note_reading, self._base, reading, seeding.parts.clock()
        )


def _keep_tag(
    connection: Connection, base: BasePlace, tag: str, read: _Read, now: datetime
) -> None:
    """What a tag leads to is a base, with the facts of its images."""
    keep_documents(connection, list(read.images), {})
    ids = find_blobs(connection, [image.digest for image in read.images])
    platforms = platform_ids(connection, (image.platform for image in read.images))
    builds = [
        build_of(
            image,
            ids[image.digest].id,
            platforms[image.platform],
            None if image.digest == read.digest else read.digest,
        )
        for image in read.images
    ]
    known = [build for build in builds if build is not None]
    note_base_tags(connection, base, {tag: known}, now)


def _wanted_children(index: Index, platforms: Sequence[Platform]) -> list[Child]:
    """Images of these platforms, each once."""
    found: dict[Digest, Child] = {}
    for child in index.children:
        listed = child.descriptor.platform
        if child.role != "image" or listed is None:
            continue
        if any(matches(listed, wanted) for wanted in platforms):
            found.setdefault(child.descriptor.digest, child)
    return list(found.values())
