"""A registry in memory, behind our own port."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from support.images import Served, ServedImage
from weighbridge.domain.image.digest import Digest, digest_of, is_digest
from weighbridge.domain.limits import MANIFEST_BODY_BYTES
from weighbridge.domain.registry.listing import RepositoryListing, TagPage, TagSeen
from weighbridge.domain.registry.rate_limit import RateLimit
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.errors import DocumentError, NotFound, WeighbridgeError
from weighbridge.ports.protocols import (
    CRAWL_COST,
    JOB_COST,
    ManifestAnswer,
    RangeAnswer,
    RequestCost,
)


@dataclass(slots=True)
class FakeRegistry:
    """Serves what was put; counts what is asked.

    page_length: tags (and repositories) a page
    lengths:     of blobs that are there, but of which no parts are served
    breaks:      an error to raise instead of an answer, by (operation, reference);
                 the operations are the methods' names, a listing's reference is
                 `repository#page`
    claims:      what HEAD says a tag's digest is, where it differs from the truth
    tags_may_move: whether its pages list images with their tags
    unlisted:    tags that are there and on no page
    pull_counts: of repositories, as its listing tells them
    pulled_at:   of tags, by (repository, tag)
    """

    name: str = "fake"
    cost: RequestCost = field(default_factory=RequestCost)
    page_length: int = 50
    has_quota: bool = False
    rate_limit: RateLimit | None = None
    tags_by_repository: dict[str, dict[str, Digest]] = field(default_factory=dict)
    manifests: dict[Digest, Served] = field(default_factory=dict)
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    lengths: dict[Digest, int] = field(default_factory=dict)
    breaks: dict[tuple[str, str], WeighbridgeError] = field(default_factory=dict)
    claims: dict[str, Digest | None] = field(default_factory=dict)
    invalid_tags: int = 0
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    false_heads: int = 0
    tags_may_move: bool = False
    unlisted: set[str] = field(default_factory=set)
    pull_counts: dict[str, PullCount] = field(default_factory=dict)
    pulled_at: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def put(self, repository: str, tag: str, image: ServedImage | Served) -> Digest:
        """Let a tag name an image, an index or an artifact."""
        served = image.manifest if isinstance(image, ServedImage) else image
        self.hold(image)
        self.tags_by_repository.setdefault(repository, {})[tag] = served.digest
        return served.digest

    def hold(self, *documents: ServedImage | Served) -> None:
        """Serve these by digest, without a tag: the children of an index. Their layers
        are there, as long as they say."""
        for document in documents:
            if isinstance(document, ServedImage):
                self.blobs[document.config.digest] = document.config.raw
                for layer in document.layers:
                    if not layer.is_foreign:
                        self.lengths[layer.digest] = layer.compressed_bytes
                document = document.manifest
            self.manifests[document.digest] = document

    def count(self, operation: str) -> int:
        """How often a method was asked, over all references."""
        return sum(n for (name, _), n in self.asked.items() if name == operation)

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        names = sorted(self.tags_by_repository)
        for number, page in enumerate(_pages(names, self.page_length)):
            self._ask("repositories", f"#{number}")
            pulls = {n: self.pull_counts[n] for n in page if n in self.pull_counts}
            yield RepositoryListing(tuple(page), pulls=pulls)

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        if repository not in self.tags_by_repository:
            self._ask("tags", f"{repository}#0")
            raise NotFound(f"no repository {repository}", code="name_unknown")
        names = sorted(self.tags_by_repository[repository].keys() - self.unlisted)
        for number, page in enumerate(_pages(names, self.page_length)):
            self._ask("tags", f"{repository}#{number}")
            invalid = self.invalid_tags if number == 0 else 0
            seen = tuple(
                TagSeen(name, pulled_at=self.pulled_at.get((repository, name)))
                for name in page
            )
            yield TagPage(seen, invalid, self.tags_may_move)

    async def head_manifest(self, repository: str, reference: str) -> Digest | None:
        self._ask("head_manifest", reference)
        if reference in self.claims:
            return self.claims[reference]
        return self._resolve(repository, reference)

    def note_false_head(self) -> None:
        self.false_heads += 1

    async def get_manifest(
        self, repository: str, reference: str, limit_bytes: int = MANIFEST_BODY_BYTES
    ) -> ManifestAnswer:
        self._ask("get_manifest", reference)
        served = self.manifests.get(self._resolve(repository, reference))
        if served is None:
            raise NotFound(f"no manifest {reference}", code="manifest_unknown")
        if len(served.raw) > limit_bytes:
            raise DocumentError("it is longer", code="too_large")
        digest = digest_of(served.raw)
        if is_digest(reference) and reference != digest:
            raise DocumentError("other bytes were served", code="digest_mismatch")
        return ManifestAnswer(served.raw, served.media_type, digest, digest)

    async def get_blob(
        self, repository: str, digest: Digest, content_bytes: int, limit_bytes: int
    ) -> bytes:
        self._ask("get_blob", digest)
        content = self.blobs.get(digest)
        if content is None:
            raise NotFound(f"no blob {digest}", code="blob_unknown")
        if len(content) != content_bytes:
            raise DocumentError("other length than promised", code="size_mismatch")
        if digest_of(content) != digest:
            raise DocumentError("other bytes than promised", code="digest_mismatch")
        return content

    async def get_range(
        self, repository: str, digest: Digest, first: int, last: int
    ) -> RangeAnswer:
        self._ask("get_range", digest)
        total = self._length(digest)
        content = self.blobs.get(digest)
        if content is None:
            return RangeAnswer(None, total)
        return RangeAnswer(content[first : last + 1], total)

    async def blob_length(self, repository: str, digest: Digest) -> int | None:
        self._ask("blob_length", digest)
        return self._length(digest)

    async def aclose(self) -> None:
        pass

    def _length(self, digest: Digest) -> int:
        content = self.blobs.get(digest)
        length = self.lengths.get(digest) if content is None else len(content)
        if length is None:
            raise NotFound(f"no blob {digest}", code="not_found")
        return length

    def _resolve(self, repository: str, reference: str) -> Digest:
        if is_digest(reference):
            return Digest(reference)
        tags = self.tags_by_repository.get(repository, {})
        if reference not in tags:
            raise NotFound(f"no tag {reference}", code="manifest_unknown")
        return tags[reference]

    def _ask(self, operation: str, reference: str) -> None:
        self.asked[operation, reference] += 1
        for cost in (self.cost, CRAWL_COST.get(), JOB_COST.get()):
            if cost is not None:
                cost.requests += 1
        error = self.breaks.get((operation, reference))
        if error is not None:
            raise error


def _pages(names: Sequence[str], length: int) -> list[Sequence[str]]:
    return [names[i : i + length] for i in range(0, len(names), length)] or [()]
