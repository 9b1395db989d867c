"""Keeps batches of answers, those of many repositories together."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document
from weighbridge.engine.tags.answer_batch import Batch
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StoreError
from weighbridge.store.crawls.chunks import Advanced, is_held, note_chunk
from weighbridge.store.crawls.cursor import CrawlCounts, note_answered, read_overtaken
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import Claim, stale
from weighbridge.store.leases.releasing import count_anew
from weighbridge.store.locks import lock_repositories
from weighbridge.store.session import Connection
from weighbridge.store.tags.applying import Changes, Counted, apply_many

_LONG: Final = 32
"""A batch of so many answers costs no more alone than beside others."""


class Meanwhile(Struct):
    """What pushes have changed under a crawl. The thread that writes reads it.

    overtaken:  tags about which the registry was asked again since: what it said
        before is not true any more
    has_pushes: whether any was handled: what was read of the repository when it was
        claimed is not true any more
    is_shared:  whether others keep tags of the repository too
    is_elsewhere: whoever has the claim handles pushes, and not this process: what
        they overtake is read from the store
    """

    overtaken: set[str] = field(default_factory=set)
    has_pushes: bool = False
    is_shared: bool = False
    is_elsewhere: bool = False


class DocumentBatch(Struct, frozen=True):
    """Documents, and children that could not be had, with the code that says why."""

    documents: Sequence[Document] = ()
    missing: Mapping[Digest, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.documents or self.missing)


class WriteStep(Struct, frozen=True):
    """One batch of one crawl.

    facts:    to be kept in the same transaction
    is_first: nothing of the repository was ever kept when the crawl began, and nothing
        by the crawl
    """

    claim: Claim
    batch: Batch
    facts: DocumentBatch
    now: datetime
    meanwhile: Meanwhile
    is_first: bool

    def changes(self) -> Changes:
        """What is true of it at this moment, in the transaction that keeps it."""
        meanwhile = self.meanwhile
        overtaken, is_alone = meanwhile.overtaken, not meanwhile.is_shared
        answers = [a for a in self.batch.answers if a.name not in overtaken]
        return Changes(
            self.claim,
            [a.move for a in answers if a.move is not None],
            [a.failure for a in answers if a.failure is not None],
            self.now,
            is_new=self.is_first and is_alone and not meanwhile.has_pushes,
        )


class Advance(Struct, frozen=True):
    """How far a crawl has come with a step: the cursor's next piece.

    counts: what there was since the one before
    part:   of a chunk: how far that has come
    """

    step: WriteStep
    crawl_id: int
    position: int
    names: Sequence[str]
    counts: CrawlCounts
    part: Advanced | None = None


async def keep(writer: Writer, advance: Advance) -> None:
    """Keep a batch while its crawl goes on. Raises StaleFence."""
    step = await keep_facts_apart(writer, advance.step)
    await writer.write_many(
        keep_many,
        replace(advance, step=step),
        lingers=len(step.batch.answers) < _LONG,
    )


async def keep_facts_apart(writer: Writer, step: WriteStep) -> WriteStep:
    """Keep a step's facts where that is to be another transaction: so no lock on a
    shared fact is held while a repository is locked, or the other way round."""
    if step.facts and not writer.settles_at_once:
        lingers = len(step.batch.answers) < _LONG
        await writer.write_many(keep_facts_many, step.facts, lingers=lingers)
        return replace(step, facts=DocumentBatch())
    return step


def keep_facts_many(
    connection: Connection, all_facts: Sequence[DocumentBatch]
) -> list[None]:
    """Those that come several times are kept once."""
    documents: dict[Digest, Document] = {}
    missing: dict[Digest, str] = {}
    for facts in all_facts:
        for document in facts.documents:
            documents.setdefault(document.digest, document)
        missing |= facts.missing
    if documents or missing:
        keep_documents(connection, list(documents.values()), missing)
    return [None] * len(all_facts)


def apply_steps(
    connection: Connection, steps: Sequence[WriteStep]
) -> list[Counted | StoreError]:
    """Facts first, then where tags point and why others could not be read. An error
    where a repository is not ours any more: it drops out alone."""
    keep_facts_many(connection, [step.facts for step in steps])
    return list(apply_many(connection, [step.changes() for step in steps]))


def keep_many(
    connection: Connection, advances: Sequence[Advance]
) -> list[StoreError | None]:
    """Batches of crawls that go on."""
    errors = _lost(connection, advances)
    going = [advance for advance in advances if id(advance) not in errors]
    applied = apply_steps(connection, [advance.step for advance in going])
    for advance, answer in zip(going, applied, strict=True):
        if isinstance(answer, StoreError):
            errors[id(advance)] = answer
        elif advance.part is not None:
            note_chunk(connection, advance.part, advance.counts)
        else:
            note_answered(
                connection,
                advance.crawl_id,
                advance.position,
                advance.names,
                advance.counts,
            )
    kept = [a.step.claim for a in advances if id(a) not in errors]
    count_anew(connection, kept)
    return [errors.get(id(advance)) for advance in advances]


def _lost(connection: Connection, advances: Sequence[Advance]) -> dict[int, StoreError]:
    """Batches of chunks that are not ours any more. For the others it is read what was
    pushed meanwhile: with the repositories locked, so that no push comes between."""
    parts = [(a, a.part) for a in advances if a.part is not None]
    if not parts:
        return {}
    lock_repositories(connection, {a.step.claim.repository_id for a in advances})
    errors: dict[int, StoreError] = {}
    for advance, part in parts:
        meanwhile = advance.step.meanwhile
        if not is_held(connection, part.key):
            errors[id(advance)] = stale(part.key.claim)
        elif meanwhile.is_elsewhere:
            meanwhile.overtaken = read_overtaken(connection, advance.crawl_id)
    return errors
