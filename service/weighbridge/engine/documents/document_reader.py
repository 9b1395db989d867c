"""Reads what a tag leads to: manifest, children of an index, configs.

A repository is asked for each digest once, however many of its tags lead there:
while it is in hand its reading is shared, once it is kept the store knows it. What a
stranger served wrong is refused as a whole; what is merely missing is named and the
rest kept.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest, is_digest
from weighbridge.domain.image.document import (
    Artifact,
    Child,
    Descriptor,
    Document,
    Image,
    ImageConfig,
    Index,
    Layer,
    Manifest,
    ParsedManifest,
    Problem,
    Unweighable,
)
from weighbridge.domain.image.image_config import build_image, parse_config
from weighbridge.domain.image.manifest import (
    config_makes_image,
    is_odd,
    is_text,
    parse_manifest,
)
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.size.blob_format import HEAD_BYTES
from weighbridge.engine.documents.reading import (
    MOST_LANDED,
    OF_THE_WAY,
    PROCESS,
    DigestQuestion,
    InFlight,
    KnownDigests,
    Reading,
    SingleFlight,
    Transfer,
    kept_bytes,
    layers_bytes,
)
from weighbridge.engine.tasks.side_by_side import together
from weighbridge.errors import DocumentError, NotFound, QuotaSpent, RegistryError
from weighbridge.ports.protocols import ManifestAnswer, Registry

_INTEGRITY: Final = frozenset({"digest_mismatch", "size_mismatch"})
"""A child that is not what the index promised makes the whole index untrue."""
KeepEarly: TypeAlias = Callable[
    [Sequence[Document], Mapping[Digest, str]], Awaitable[None]
]
_KEPT: Final = 4_096
_USUAL_CHARGE: Final = 16 * limits.KIB
"""For a document whose length nobody has said yet; most have less."""
_BY_DIGEST: Final = -1
"""In place of a length: nobody has promised one."""


class _Budget(Struct):
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
    keep_early:   stores documents; where much is held, those of an index are stored
                  before all of it is read. None: there is no store
    in_flight:    what the documents count against
    quota_wait_s: how long a quota that was found spent would take to come back, None
                  where nobody has said
    """

    def __init__(
        self,
        registry: Registry,
        known: KnownDigests,
        most_landed: int = MOST_LANDED,
        *,
        keep_early: KeepEarly | None = None,
        in_flight: InFlight = PROCESS,
    ) -> None:
        self._registry = registry
        self._known = known
        self._keep_early = keep_early
        self._in_flight = in_flight
        self._flights = SingleFlight(most_landed)
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
        asked = DigestQuestion(repository, _BY_DIGEST)
        return await self._once(digest, asked, start)

    async def _once(
        self,
        digest: Digest,
        asked: DigestQuestion,
        start: Callable[[], Awaitable[Reading]],
    ) -> Reading:
        """See `SingleFlight.once`. What breaks a rule is told with its digest."""
        try:
            return await self._flights.once(digest, asked, start)
        except DocumentError as exc:
            if exc.code not in _INTEGRITY:
                exc.refused = digest
            raise

    async def _read(self, repository: str, reference: str) -> Reading:
        transfer, answer = await self.top(repository, reference)
        try:
            digest, content_type = answer.digest, answer.content_type
            warnings = _warnings(answer.claimed_digest, digest)
            asked = DigestQuestion(repository, len(answer.content))
            content = [answer.content]
            del answer
            if await self.knows(digest):
                return Reading(digest, warnings=warnings)

            def start() -> Awaitable[Reading]:
                parsed = parse_manifest(content.pop(), content_type)
                transfer.end()
                return self._complete(repository, parsed, 1, None, _Budget())

            if self._flights.is_known(digest, asked):
                content.clear()  # Another tag's reading of the same bytes is joined.
                transfer.end()
            reading = await self._once(digest, asked, start)
            return Reading(digest, reading.documents, reading.missing, warnings)
        finally:
            transfer.end()

    async def top(
        self, repository: str, reference: str
    ) -> tuple[Transfer, ManifestAnswer]:
        """What a tag or digest names, and the transfer that ends once it is parsed.

        Nobody has said how long it is: it is asked for once more where it is one of
        the few that are longer than usual.
        """
        usual = limits.USUAL_DOCUMENT_BYTES
        try:
            return await self._top(repository, reference, usual, _USUAL_CHARGE)
        except DocumentError as exc:
            if exc.code != "too_large":
                raise
        most = limits.MANIFEST_BODY_BYTES
        return await self._top(repository, reference, most, most)

    async def _top(
        self, repository: str, reference: str, limit_bytes: int, charge: int
    ) -> tuple[Transfer, ManifestAnswer]:
        transfer = self._in_flight.transfer(charge)
        await transfer.begin()
        try:
            return transfer, await self._manifest(repository, reference, limit_bytes)
        except BaseException:
            transfer.end()
            raise

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
        most = min(wanted.content_bytes, limits.MANIFEST_BODY_BYTES)
        async with self._in_flight.transfer(most):
            try:
                answer = await self._manifest(repository, wanted.digest, most)
            except DocumentError as exc:
                if exc.code == "too_large" and most == wanted.content_bytes:
                    raise _other_length(wanted, f"more than {most}") from exc
                raise
            if len(answer.content) != wanted.content_bytes:
                raise _other_length(wanted, str(len(answer.content)))
            return parse_manifest(answer.content, answer.content_type, wanted.digest)

    async def _manifest(
        self,
        repository: str,
        reference: str,
        limit_bytes: int = limits.MANIFEST_BODY_BYTES,
    ) -> ManifestAnswer:
        try:
            return await self._registry.get_manifest(repository, reference, limit_bytes)
        except QuotaSpent as exc:
            self.quota_wait_s = exc.retry_after
            raise

    async def settled(
        self, repository: str, parsed: Manifest | Artifact, hint: Platform | None
    ) -> Image | Artifact:
        """What a manifest is once its config is read: what is called an artifact may
        be an image, see `artifact.may_be_image`."""
        if isinstance(parsed, Manifest):
            return await self.image(repository, parsed, hint)
        if parsed.may_be is None:
            return parsed
        return await self._image_after_all(repository, parsed, parsed.may_be, hint)

    async def image(
        self, repository: str, manifest: Manifest, hint: Platform | None
    ) -> Image:
        """A manifest joined with its config; a config that cannot be used leaves
        the sizes good and the history empty, with the reason as a problem."""
        try:
            return (await self._with_config(repository, manifest, hint))[0]
        except DocumentError as exc:
            return build_image(manifest, None, hint, (_config_problem(exc),))
        except NotFound:
            problem = Problem("config_missing", "the registry does not have the config")
            return build_image(manifest, None, hint, (problem,))

    async def _image_after_all(
        self,
        repository: str,
        artifact: Artifact,
        manifest: Manifest,
        hint: Platform | None,
    ) -> Image | Artifact:
        """What is called an artifact, where that is true; its image where nobody can
        say that it is none. Without a config nobody can pull it."""
        artifact = replace(artifact, may_be=None)
        try:
            image, is_image = await self._with_config(repository, manifest, hint)
            artifact = replace(artifact, is_config_read=True)
            if is_image is None:
                is_image = await self._is_archive(repository, manifest.layers[0])
            return image if is_image else artifact
        except DocumentError as exc:
            # Other tools read more than we do, so that it may be one.
            return build_image(manifest, None, hint, (_config_problem(exc),))
        except NotFound:
            return artifact

    async def _is_archive(self, repository: str, layer: Layer) -> bool:
        """Whether a layer's first bytes are those of an archive. A registry that does
        not give them leaves that open, and so it counts as one. How long the manifest
        says that the layer is does not matter: it may say nothing or one byte."""
        try:
            answer = await self._registry.get_range(
                repository, layer.digest, 0, HEAD_BYTES - 1
            )
        except RegistryError as exc:
            if exc.retryable or isinstance(exc, NotFound):
                raise
            return True
        head = answer.content
        return head is None or (head != b"" and not is_text(head))

    async def _with_config(
        self, repository: str, manifest: Manifest, hint: Platform | None
    ) -> tuple[Image, bool | None]:
        """The image by its config, and whether that makes it one. The layers are
        charged while the config is waited for."""
        layers = layers_bytes(manifest.layers)
        length = manifest.config.content_bytes
        self._in_flight.hold(layers)
        try:
            async with self._in_flight.transfer(length, is_of_begun=True):
                config = await self._config(repository, manifest)
                makes_image = config_makes_image(config)
                return build_image(manifest, config, hint), makes_image
        finally:
            self._in_flight.release(layers)

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
        if isinstance(parsed, Index):
            return await self._index(repository, parsed, depth, budget)
        if isinstance(parsed, Unweighable):
            return Reading(parsed.digest, (parsed,))
        document = await self.settled(repository, parsed, hint)
        return Reading(parsed.digest, (document,))

    async def _index(
        self, repository: str, index: Index, depth: int, budget: _Budget
    ) -> Reading:
        children = {child.descriptor.digest: child for child in index.children}
        if depth >= limits.INDEX_DEPTH:
            # Not kept without its children: a tag that names it itself still has to
            # lead to them.
            return Reading(index.digest, missing={index.digest: "index_too_deep"})
        budget.take(len(children))
        held = [0]

        async def read(child: Child) -> Reading:
            reading = await self._child(repository, child, depth + 1, budget)
            if self._keep_early is not None and self._in_flight.is_tight:
                return await self._kept_early(reading, self._keep_early)
            size = kept_bytes(reading.documents)
            held[0] += size
            self._in_flight.hold(size)
            return reading

        try:
            readings = await together(read(child) for child in children.values())
        finally:
            self._in_flight.release(held[0])
        return _whole(index, {r.digest: r for r in readings})

    async def _kept_early(self, reading: Reading, keep: KeepEarly) -> Reading:
        """The same, of which everything that was read is in the store already."""
        if reading.documents:
            await keep(reading.documents, reading.missing)
            self.forget(reading)
        return replace(reading, documents=())

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
        asked = DigestQuestion(repository, child.descriptor.content_bytes, is_deepest)
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


def _whole(index: Index, readings: Mapping[Digest, Reading]) -> Reading:
    """An index with what its entries led to. Only now it is known what an entry is
    whose media type is no manifest's: where the registry has no manifest of that
    digest, the entry is left out, and that is no fault."""
    documents: dict[Digest, Document] = {}
    missing: dict[Digest, str] = {}
    children: list[Child] = []
    for child in index.children:
        reading = readings[child.descriptor.digest]
        if is_odd(child.descriptor):
            is_none = reading.digest in reading.missing
            child = replace(child, role="artifact" if is_none else "image")
            reading = Reading(reading.digest) if is_none else reading
        children.append(child)
        documents |= {document.digest: document for document in reading.documents}
        missing |= reading.missing
    index = replace(index, children=tuple(children))
    return Reading(index.digest, (index, *documents.values()), missing)


def _other_length(wanted: Descriptor, served: str) -> DocumentError:
    return DocumentError(
        f"{wanted.digest[:19]}… has {served} bytes, "
        f"its index says {wanted.content_bytes}",
        code="size_mismatch",
    )


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
