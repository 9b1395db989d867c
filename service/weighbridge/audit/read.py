"""Reads what a tag leads to: manifest, children of an index, configs.

A repository is asked for each digest once, however many of its tags lead there:
while it is in hand its reading is shared, once it is kept the store knows it. What a
stranger served wrong is refused as a whole; what is merely missing is named and the
rest kept.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from weighbridge.audit.flights import MOST_LANDED, OF_THE_WAY, Asked, Flights
from weighbridge.audit.lookup import KnownDigests
from weighbridge.audit.reading import Reading
from weighbridge.audit.together import together
from weighbridge.domain import limits
from weighbridge.domain.digest import Digest, is_digest
from weighbridge.domain.document import (
    Child,
    Document,
    Image,
    ImageConfig,
    Index,
    Manifest,
    ParsedManifest,
    Problem,
)
from weighbridge.domain.image import build_image, parse_config
from weighbridge.domain.manifest import parse_manifest
from weighbridge.domain.platform import Platform
from weighbridge.errors import DocumentError, NotFound, QuotaSpent
from weighbridge.ports import ManifestAnswer, Registry

_INTEGRITY: Final = frozenset({"digest_mismatch", "size_mismatch"})
"""A child that is not what the index promised makes the whole index untrue."""
_KEPT: Final = 4_096
_BY_DIGEST: Final = -1
"""In place of a length: nobody has promised one."""


@dataclass(slots=True)
class _Budget:
    """Manifests that one tag may still make us ask for, on all levels together: a
    thousand children of a thousand children are a million requests."""

    left: int = limits.INDEX_CHILDREN

    def take(self, children: int) -> None:
        """Raises DocumentError(index_too_large)."""
        if children > self.left:
            raise DocumentError(
                f"the tag leads to more than {limits.INDEX_CHILDREN} manifests",
                code=OF_THE_WAY,
            )
        self.left -= children


class Reader:
    """Reads documents of one registry.

    most_landed:  readings that may be done and wait to be kept
    quota_wait_s: how long a quota that was found spent would take to come back, None
                  where nobody has said
    """

    def __init__(
        self, registry: Registry, known: KnownDigests, most_landed: int = MOST_LANDED
    ) -> None:
        self._registry = registry
        self._known = known
        self._flights = Flights(most_landed)
        # What the store was given last: a question that was put to it before that
        # comes back without it.
        self._kept: dict[Digest, None] = {}
        self.quota_wait_s: float | None = None

    async def read(self, repository: str, reference: str) -> Reading:
        """All that a tag (or digest) leads to and that the store does not know.

        Raises DocumentError if it breaks a rule, NotFound, or what the registry's
        client raises.
        """
        if not is_digest(reference):
            return await self._read(repository, reference)
        digest = Digest(reference)

        async def start() -> Reading:
            return await self._read(repository, digest)

        # Many tags that a listing gives one digest are one question.
        try:
            return await self._flights.once(
                digest, Asked(repository, _BY_DIGEST), start
            )
        except DocumentError as exc:
            if exc.code not in _INTEGRITY:
                exc.refused = digest
            raise

    async def _read(self, repository: str, reference: str) -> Reading:
        answer = await self._manifest(repository, reference)
        warnings = _warnings(answer.claimed_digest, answer.digest)
        if await self.knows(answer.digest):
            return Reading(answer.digest, warnings=warnings)

        def start() -> Awaitable[Reading]:
            parsed = parse_manifest(answer.content, answer.content_type)
            return self._complete(repository, parsed, 1, None, _Budget())

        asked = Asked(repository, len(answer.content))
        try:
            reading = await self._flights.once(answer.digest, asked, start)
        except DocumentError as exc:
            if exc.code not in _INTEGRITY:
                exc.refused = answer.digest
            raise
        return Reading(answer.digest, reading.documents, reading.missing, warnings)

    async def knows(self, digest: Digest) -> bool:
        """Whether the store has this manifest's facts."""
        return await self._known.contains(digest) or digest in self._kept

    def forget(self, reading: Reading) -> None:
        """The store has these documents now: later questions go there."""
        for digest in (reading.digest, *(d.digest for d in reading.documents)):
            self._flights.forget(digest)
            if not reading.missing:
                self._kept[digest] = None
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]

    async def get_child(self, repository: str, child: Child) -> ParsedManifest:
        """One child of an index, checked against its descriptor."""
        wanted = child.descriptor
        answer = await self._manifest(repository, wanted.digest)
        if len(answer.content) != wanted.content_bytes:
            raise DocumentError(
                f"{wanted.digest[:19]}… has {len(answer.content)} bytes, "
                f"its index says {wanted.content_bytes}",
                code="size_mismatch",
            )
        return parse_manifest(answer.content, answer.content_type, wanted.digest)

    async def _manifest(self, repository: str, reference: str) -> ManifestAnswer:
        try:
            return await self._registry.get_manifest(repository, reference)
        except QuotaSpent as exc:
            self.quota_wait_s = exc.retry_after
            raise

    async def image(
        self, repository: str, manifest: Manifest, hint: Platform | None
    ) -> Image:
        """A manifest joined with its config; a config that cannot be used leaves
        the sizes good and the history empty, with the reason as a problem."""
        try:
            config = await self._config(repository, manifest)
        except DocumentError as exc:
            return build_image(manifest, None, hint, (_config_problem(exc),))
        except NotFound:
            problem = Problem("config_missing", "the registry does not have the config")
            return build_image(manifest, None, hint, (problem,))
        return build_image(manifest, config, hint)

    async def _config(self, repository: str, manifest: Manifest) -> ImageConfig:
        wanted = manifest.config
        if wanted.content_bytes > limits.CONFIG_BODY_BYTES:
            raise DocumentError(
                f"the config has {wanted.content_bytes} bytes, "
                f"{limits.CONFIG_BODY_BYTES} are read at most",
                code="config_too_large",
            )
        content = await self._registry.get_blob(
            repository, wanted.digest, wanted.content_bytes, limits.CONFIG_BODY_BYTES
        )
        return parse_config(content, wanted.digest)

    async def _complete(
        self,
        repository: str,
        parsed: ParsedManifest,
        depth: int,
        hint: Platform | None,
        budget: _Budget,
    ) -> Reading:
        if isinstance(parsed, Manifest):
            return Reading(parsed.digest, (await self.image(repository, parsed, hint),))
        if isinstance(parsed, Index):
            return await self._index(repository, parsed, depth, budget)
        return Reading(parsed.digest, (parsed,))

    async def _index(
        self, repository: str, index: Index, depth: int, budget: _Budget
    ) -> Reading:
        children = {child.descriptor.digest: child for child in index.children}
        if depth >= limits.INDEX_DEPTH:
            # Not kept without its children: a tag that names it itself still has to
            # lead to them.
            return Reading(index.digest, missing={index.digest: "index_too_deep"})
        budget.take(len(children))
        readings = await together(
            self._child(repository, child, depth + 1, budget)
            for child in children.values()
        )
        documents: dict[Digest, Document] = {index.digest: index}
        missing: dict[Digest, str] = {}
        for reading in readings:
            documents |= {document.digest: document for document in reading.documents}
            missing |= reading.missing
        return Reading(index.digest, tuple(documents.values()), missing)

    async def _child(
        self, repository: str, child: Child, depth: int, budget: _Budget
    ) -> Reading:
        digest = child.descriptor.digest
        if await self.knows(digest):
            return Reading(digest)

        async def start() -> Reading:
            parsed = await self.get_child(repository, child)
            return await self._complete(
                repository, parsed, depth, child.descriptor.platform, budget
            )

        is_deepest = depth >= limits.INDEX_DEPTH
        asked = Asked(repository, child.descriptor.content_bytes, is_deepest)
        try:
            return await self._flights.once(digest, asked, start)
        except (NotFound, QuotaSpent) as exc:
            # What came before the quota's end has cost of it: it is kept.
            code = exc.code if isinstance(exc, QuotaSpent) else "child_missing"
            return Reading(digest, missing={digest: code})
        except DocumentError as exc:
            if exc.code in _INTEGRITY:
                raise
            return Reading(digest, missing={digest: exc.code})


def _warnings(claimed: str, digest: Digest) -> tuple[str, ...]:
    if claimed and claimed != digest:
        return (
            f"the registry calls this manifest {claimed[:19]}…, "
            f"its content is {digest[:19]}…",
        )
    return ()


def _config_problem(exc: DocumentError) -> Problem:
    code = "config_size_mismatch" if exc.code == "size_mismatch" else exc.code
    return Problem(code, exc.message)
