"""Asks the registry what the plan wants to know of a chunk of tags."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from weighbridge.audit.plan import Plan
from weighbridge.audit.read import Reader, Reading
from weighbridge.audit.together import together
from weighbridge.domain.digest import Digest
from weighbridge.domain.listing import TagSeen
from weighbridge.errors import (
    DocumentError,
    NotFound,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports import Registry
from weighbridge.store.tags import KnownTag, Move, TagFailure

_STILL_REFUSED: Final = "it still is what was refused before"


@dataclass(frozen=True, slots=True)
class TagFault:
    """A tag that could not be weighed in this pass, for the closing table."""

    tag: str
    code: str
    message: str


@dataclass(slots=True)
class Chunk:
    """What the tags of one chunk turned out to be.

    moves:      where tags point that are new, moved, or no longer in error
    failures:   tags whose look failed; what was known of them stays
    readings:   the documents that the moves lead to
    faults:     everything that is not as it should be, for people
    unanswered: the code of a question that brought no answer, or ""
    new:        how many of the moves are of tags that had no digest before
    moved:      how many are of tags that had another one
    """

    moves: list[Move] = field(default_factory=list)
    failures: list[TagFailure] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    faults: list[TagFault] = field(default_factory=list)
    unanswered: str = ""
    new: int = 0
    moved: int = 0


class ChunkLook:
    """One chunk of one repository's tags; `known` is what the store has of them."""

    def __init__(
        self,
        registry: Registry,
        reader: Reader,
        repository: str,
        known: Mapping[str, KnownTag],
    ) -> None:
        self._registry = registry
        self._reader = reader
        self._repository = repository
        self._known = known
        self._chunk = Chunk()

    async def at(self, plan: Plan) -> Chunk:
        """Ask every tag its question, side by side; a tag's failure is its own."""
        known = self._known
        await together(
            [
                *(self._head(t, known.get(t.name)) for t in plan.head),
                *(self._moved(t, known.get(t.name), d) for t, d in plan.fetch),
                *(self._read(t, known.get(t.name), None) for t in plan.get),
            ]
        )
        return self._chunk

    async def _head(self, tag: TagSeen, before: KnownTag | None) -> None:
        """Ask a tag's digest; only one that is new to the tag leads further."""
        try:
            digest = await self._registry.head_manifest(self._repository, tag.name)
        except (RegistryError, TransportError) as exc:
            self._fail(tag.name, exc)
            return
        if digest is None:
            await self._read(tag, before, None)
        elif before is not None and digest == before.error_digest:
            self._note(tag.name, before.error_code or "", _STILL_REFUSED)
        elif before is not None and digest == before.digest:
            if before.error_code:
                self._chunk.moves.append(Move(tag.name, digest, tag.pushed_at))
        else:
            await self._moved(tag, before, digest)

    async def _moved(
        self, tag: TagSeen, before: KnownTag | None, digest: Digest
    ) -> None:
        """The registry says that the tag has this digest now."""
        if await self._reader.knows(digest):
            self._move(tag, before, Reading(digest))
        else:
            await self._read(tag, before, digest)

    async def _read(
        self,
        tag: TagSeen,
        before: KnownTag | None,
        claimed: Digest | None,
    ) -> None:
        """GET what the tag leads to; by digest where one was claimed."""
        repository = self._repository
        reader = self._reader
        try:
            try:
                reading = await reader.read(repository, claimed or tag.name)
            except (NotFound, DocumentError) as exc:
                if claimed is None or not _is_false_claim(exc):
                    raise
                # The digest was only a claim (a header, a listing): what counts
                # is what the tag serves.
                reading = await reader.read(repository, tag.name)
        except (DocumentError, RegistryError, TransportError) as exc:
            self._fail(tag.name, exc)
        else:
            self._move(tag, before, reading)

    def _move(self, tag: TagSeen, before: KnownTag | None, reading: Reading) -> None:
        if before is None or before.digest is None:
            self._chunk.new += 1
        elif before.digest != reading.digest:
            self._chunk.moved += 1
        if reading.missing:
            code = next(iter(reading.missing.values()))
            self._note(tag.name, code, "a part of its index is missing")
        self._chunk.moves.append(Move(tag.name, reading.digest, tag.pushed_at))
        self._chunk.readings.append(reading)

    def _fail(self, name: str, exc: WeighbridgeError) -> None:
        refused = exc.refused if isinstance(exc, DocumentError) else None
        digest = None if refused is None else Digest(refused)
        self._chunk.failures.append(TagFailure(name, exc.code, exc.message, digest))
        self._note(name, exc.code, exc.message)
        if not isinstance(exc, DocumentError | NotFound):
            self._chunk.unanswered = exc.code

    def _note(self, tag: str, code: str, message: str) -> None:
        self._chunk.faults.append(TagFault(tag, code, message))


def _is_false_claim(exc: WeighbridgeError) -> bool:
    return isinstance(exc, NotFound) or exc.code == "digest_mismatch"
