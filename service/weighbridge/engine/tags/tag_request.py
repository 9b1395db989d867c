"""What to ask of each tag, the cheapest question that is safe; asks the registry, and
says what of the answers one transaction keeps.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Artifact, Document, Image, Index
from weighbridge.domain.limits import RETRY_AFTER_MAX_S
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.engine.documents.document_reader import Reader
from weighbridge.engine.documents.reading import Reading
from weighbridge.errors import (
    DocumentError,
    NotFound,
    QuotaSpent,
    RateLimited,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports.protocols import Registry
from weighbridge.store.leases.claiming import Claim
from weighbridge.store.tags.applying import KnownTag, Move
from weighbridge.store.tags.tag_rows import TagFailure

ALIASES_WORTH_A_HEAD = 2
"""More tags than this a digest in the last crawl: HEAD first, GET only the new."""

Kind: TypeAlias = Literal["same", "pushed", "head", "get", "check"]


class TagQuestion(Struct, frozen=True):
    """What a tag of a listing needs.

    kind:   same: the listing itself says that nothing changed, no request;
            pushed: it says that the same was pushed once more, no request either;
            head: ask for the digest first;
            get: a GET tells digest and content at once;
            check: a GET in the place of a HEAD, which may not be true
    digest: the one that the listing gives, where that is not what is stored: of a
            `get` one that the tag did not have
    compares: of a `check`: HEAD is asked too, even where GET tells what is stored
    """

    tag: TagSeen
    kind: Kind
    digest: Digest | None = None
    compares: bool = False


def _nobody(tag: str) -> bool:
    """Stands in where nobody has a turn."""
    return False


def plan(
    seen: Iterable[TagSeen],
    known: Mapping[str, KnownTag],
    *,
    head_first: bool,
    has_turn: Callable[[str], bool] = _nobody,
    by_get: bool = False,
) -> Iterator[TagQuestion]:
    """The question that each tag needs, in the listing's order.

    A known tag whose last crawl failed is asked again even if its digest is the
    old one: the failure may have passed. It comes last: a few that never get an
    answer would otherwise use up the crawl's patience before all others, each time.

    has_turn: whether a tag is asked by GET in the place of HEAD this time
    by_get:   whether all are, since HEAD was found false
    """
    for tag in sorted(seen, key=lambda tag: _has_failed(known.get(tag.name))):
        before = known.get(tag.name)
        if tag.digest is None and _is_as_pushed(tag, before):
            yield TagQuestion(tag, "same")
        elif tag.digest is None and _is_good(before) and (by_get or has_turn(tag.name)):
            yield TagQuestion(tag, "check", compares=by_get and has_turn(tag.name))
        elif tag.digest is None:
            asks_first = not by_get and (head_first or _was_read(before))
            yield TagQuestion(tag, "head" if asks_first else "get")
        elif before is None or before.digest != tag.digest or before.error_code:
            yield TagQuestion(tag, "get", tag.digest)
        elif _is_pushed_again(tag, before):
            yield TagQuestion(tag, "pushed", tag.digest)
        else:
            yield TagQuestion(tag, "same")


def _was_read(tag: KnownTag | None) -> bool:
    """Whether a HEAD can tell anything: there is a digest to compare with."""
    return tag is not None and (tag.digest is not None or tag.error_digest is not None)


def _is_good(tag: KnownTag | None) -> bool:
    return tag is not None and tag.digest is not None and not tag.error_code


def _is_as_pushed(tag: TagSeen, before: KnownTag | None) -> bool:
    """Whether the listing says that nobody has pushed to it since it was read."""
    return (
        before is not None
        and before.digest is not None
        and not before.error_code
        and tag.pushed_at is not None
        and tag.pushed_at == before.pushed_at
    )


def _is_pushed_again(tag: TagSeen, before: KnownTag) -> bool:
    """Whether the listing knows of a later push than the store. An earlier one is no
    news: a listing may be behind."""
    if tag.pushed_at is None:
        return False
    return before.pushed_at is None or tag.pushed_at > before.pushed_at


def _has_failed(tag: KnownTag | None) -> bool:
    return tag is not None and bool(tag.error_code)


def wants_head_first(tags: int, manifests: int) -> bool:
    """Whether a repository's tags are mostly aliases of each other."""
    return manifests > 0 and tags > ALIASES_WORTH_A_HEAD * manifests


PERIOD: Final = timedelta(days=7)
DISTRUST: Final = 2 * PERIOD
"""A registry whose HEAD was found false is asked by GET for so long: each tag is
compared twice meanwhile."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CheckTurns:
    """Whose turn it is in one crawl.

    since:  when the last complete crawl began: the turns until then were had
    by_get: HEAD was found false not long ago, and is asked only to see whether it
            still is
    """

    def __init__(self, claim: Claim, since: datetime | None, now: datetime) -> None:
        self._repository = claim.repository
        self._now = now
        # Where no crawl was complete for a whole period, those that the last one could
        # not ask are asked in their next turn: all at once would not be spread.
        last = claim.last_crawl_at or now
        self._since = last if since is None or now - since > PERIOD else since
        found_at = claim.false_head_at
        self.by_get = found_at is not None and now - found_at < DISTRUST

    def has(self, tag: str) -> bool:
        """Whether the tag's turn came since then."""
        return last_turn(self._repository, tag, self._now) > self._since


def last_turn(repository: str, tag: str, now: datetime) -> datetime:
    """The moment of a tag's last turn, at most `PERIOD` ago."""
    digest = hashlib.sha256(f"{repository}:{tag}".encode()).digest()
    offset = PERIOD * (int.from_bytes(digest[:8]) / 2**64)
    return now - (now - _EPOCH - offset) % PERIOD


FALSE_HEAD: Final = "false_head"
_STILL_REFUSED: Final = "it still is what was refused before"


class TagFault(Struct, frozen=True):
    """A tag that could not be weighed in this crawl, for the closing table."""

    tag: str
    code: str
    message: str


class TagAnswer(Struct, frozen=True):
    """What one tag turned out to be; neither move nor failure: what it was.

    move:       where it points, if it is new, moved, pushed again, or no longer in
                error
    failure:    why it was not read; what was known of it stays
    reading:    the documents that the move leads to
    fault:      whatever is not as it should be, for people
    unanswered: the code of a question that brought no answer, or ""
    is_silent:  it brought not even a refusal, however often it was asked
    is_absent:  the registry says that there is no such tag
    was:        the digest that the tag had before; None: none
    """

    name: str
    move: Move | None = None
    failure: TagFailure | None = None
    reading: Reading | None = None
    fault: TagFault | None = None
    unanswered: str = ""
    is_silent: bool = False
    is_absent: bool = False
    was: Digest | None = None

    @property
    def is_unchanged(self) -> bool:
        return self.move is None and self.failure is None

    @property
    def code(self) -> str:
        """Of its fault, or ""."""
        return "" if self.fault is None else self.fault.code

    @property
    def is_refused(self) -> bool:
        """Whether the registry answered, and would not say what it is."""
        return bool(self.unanswered) and not self.is_silent

    @property
    def is_new(self) -> bool:
        return self.move is not None and self.was is None

    @property
    def is_moved(self) -> bool:
        return self.move is not None and self.was not in (None, self.move.digest)


class TagRequest:
    """Looks at tags of one repository; `known` is what the store has of them."""

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

    async def at(self, question: TagQuestion) -> TagAnswer:
        """Ask one question; a tag's failure is its answer. Raises RateLimited where
        nothing may be asked for long."""
        tag = question.tag
        before = self._known.get(tag.name)
        if question.kind == "same":
            return TagAnswer(tag.name)
        if question.kind == "head":
            return await self._head(tag, before)
        if question.kind == "check":
            return await self._check(tag, before, compares=question.compares)
        if question.digest is None:
            return await self._read(tag, before, None)
        if question.kind == "pushed":
            return _pushed_again(tag, question.digest)
        return await self._moved(tag, before, question.digest)

    async def _head(self, tag: TagSeen, before: KnownTag | None) -> TagAnswer:
        """Ask a tag's digest; only one that is new to the tag leads further."""
        try:
            digest = await self._registry.head_manifest(self._repository, tag.name)
        except (RegistryError, TransportError) as exc:
            if _is_of_all(exc):
                raise
            return _failed(tag.name, before, exc)
        if digest is None:
            return await self._read(tag, before, None)
        if before is not None and digest == before.error_digest:
            fault = TagFault(tag.name, before.error_code or "", _STILL_REFUSED)
            return TagAnswer(tag.name, fault=fault)
        if before is not None and digest == before.digest:
            is_as_stored = tag.pushed_at in (None, before.pushed_at)
            if is_as_stored and not before.error_code:
                return TagAnswer(tag.name)
            return _pushed_again(tag, digest)
        return await self._moved(tag, before, digest)

    async def _check(
        self, tag: TagSeen, before: KnownTag | None, *, compares: bool
    ) -> TagAnswer:
        """GET in the place of HEAD; HEAD too where they may differ."""
        answer = await self._read(tag, before, None)
        known = None if before is None else before.digest
        if answer.move is None or answer.fault is not None:
            return answer
        is_same = answer.move.digest == known
        fault = None
        if compares or not is_same:
            fault = await self._false_head(tag, answer.move.digest, known)
        if is_same:
            return TagAnswer(tag.name, fault=fault)
        return replace(answer, fault=fault)

    async def _false_head(
        self, tag: TagSeen, digest: Digest, known: Digest | None
    ) -> TagFault | None:
        """What is wrong with the registry's HEAD, if anything: it names what the tag
        had before, or another digest than GET serves before and after it."""
        registry, repository = self._registry, self._repository
        try:
            said = await registry.head_manifest(repository, tag.name)
            if said is None or said == digest or (said != known and digest != known):
                return None
            again = await self._reader.read(repository, tag.name)
        except (DocumentError, RegistryError, TransportError) as exc:
            if _is_of_all(exc):
                raise
            return None  # The tag itself was read; HEAD is compared another time.
        if again.digest != digest:
            return None  # It moved meanwhile.
        registry.note_false_head()
        text = f"HEAD names {said}, and GET serves {digest}, which counts"
        return TagFault(tag.name, FALSE_HEAD, text)

    async def _moved(
        self, tag: TagSeen, before: KnownTag | None, digest: Digest
    ) -> TagAnswer:
        """The registry says that the tag has this digest now."""
        if await self._reader.knows(digest):
            return _found(tag, before, Reading(digest))
        return await self._read(tag, before, digest)

    async def _read(
        self, tag: TagSeen, before: KnownTag | None, claimed: Digest | None
    ) -> TagAnswer:
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
            if _is_of_all(exc):
                raise
            return _failed(tag.name, before, exc)
        return _found(tag, before, reading)


def _pushed_again(tag: TagSeen, digest: Digest) -> TagAnswer:
    """It points where it did, since another time."""
    return TagAnswer(tag.name, move=Move(tag.name, digest, tag.pushed_at), was=digest)


def _found(tag: TagSeen, before: KnownTag | None, reading: Reading) -> TagAnswer:
    fault = None
    if reading.missing:
        code = next(iter(reading.missing.values()))
        fault = TagFault(tag.name, code, "a part of its index is missing")
    return TagAnswer(
        tag.name,
        move=Move(tag.name, reading.digest, tag.pushed_at),
        reading=reading,
        fault=fault,
        was=None if before is None else before.digest,
    )


def _failed(name: str, before: KnownTag | None, exc: WeighbridgeError) -> TagAnswer:
    refused = exc.refused if isinstance(exc, DocumentError) else None
    digest = None if refused is None else Digest(refused)
    is_answer = isinstance(exc, DocumentError | NotFound)
    return TagAnswer(
        name,
        failure=TagFailure(name, exc.code, exc.message, digest),
        fault=TagFault(name, exc.code, exc.message),
        unanswered="" if is_answer else exc.code,
        is_silent=isinstance(exc, TransportError) and exc.retryable,
        is_absent=isinstance(exc, NotFound),
        was=None if before is None else before.digest,
    )


def _is_of_all(exc: WeighbridgeError) -> bool:
    """Whether it says nothing about the tag: no other would be answered either."""
    if not isinstance(exc, RateLimited):
        return False
    is_long = (exc.retry_after or 0.0) >= RETRY_AFTER_MAX_S
    return is_long or isinstance(exc, QuotaSpent)


def _is_false_claim(exc: WeighbridgeError) -> bool:
    return isinstance(exc, NotFound) or exc.code == "digest_mismatch"


class Batch(Struct, frozen=True):
    """What one transaction keeps of the answers about some tags.

    answers:   those that say something
    documents: all that they lead to and that the store does not have, once each
    missing:   children that could not be had, with the code that says why
    """

    answers: Sequence[TagAnswer]
    documents: Sequence[Document] = ()
    missing: Mapping[Digest, str] = field(default_factory=dict)

    @property
    def has_facts(self) -> bool:
        return bool(self.documents or self.missing)

    @property
    def is_plain(self) -> bool:
        """Whether all that tags lead to is in the batch, and whole. What is known
        already may be there for another repository, and lack something."""
        found = {document.digest for document in self.documents}
        return (
            not self.missing
            and all(reading.digest in found for reading in readings_of(self.answers))
            and all(_is_whole(document, found) for document in self.documents)
        )

    def without_facts(self) -> "Batch":
        """They are kept apart."""
        return Batch(self.answers)


def batch_of(answers: Sequence[TagAnswer]) -> Batch:
    """With what they lead to."""
    documents: dict[Digest, Document] = {}
    missing: dict[Digest, str] = {}
    for reading in readings_of(answers):
        documents |= {document.digest: document for document in reading.documents}
        missing |= reading.missing
    return Batch(answers, list(documents.values()), missing)


def readings_of(answers: Iterable[TagAnswer]) -> Iterable[Reading]:
    """Of those answers that led to something."""
    return (a.reading for a in answers if a.reading is not None)


def _is_whole(document: Document, found: Set[Digest]) -> bool:
    match document:
        case Image():
            return not document.problems
        case Index():
            return all(child.descriptor.digest in found for child in document.children)
        case Artifact():
            return True
    return False
