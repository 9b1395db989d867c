"""Recorded images as a registry's content: 5,007 manifests, or the few of
`tests/data`, tagged.

How tags were joined:

1. Repositories are named `source/name`: no source's tag meets another's.
2. All records of a repository with one recorded index digest are the children of one
   index, in their order; every tag that named the index names that.
3. Tags that were recorded as one platform's name its manifest directly.
4. Without a recorded index, a tag of one record names its manifest; a tag of several
   records (one a platform) names an index made of them.
5. A tag that would name two things is a fault of the data: ValueError. There is none.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from support.replica.records import Record, recorded
from support.replica.synthesised import Documents, documents_of, index_of
from weighbridge.demo.content.stored_documents import Served
from weighbridge.demo.content.virtual_blobs import Blob, virtual_blob, whole_blob
from weighbridge.domain.image.digest import Digest


@dataclass(slots=True)
class _Repository:
    """references: manifests by tag and by digest; layers: their bytes by digest;
    statements: layers that are a document of an attestation."""

    tags: list[str] = field(default_factory=list)
    references: dict[str, Served] = field(default_factory=dict)
    configs: dict[str, bytes] = field(default_factory=dict)
    layers: dict[str, int] = field(default_factory=dict)
    statements: set[str] = field(default_factory=set)

    def hold(self, documents: Documents) -> None:
        """A manifest by its digest, and its blobs but foreign ones."""
        self.references[documents.manifest.digest] = documents.manifest
        self.configs[documents.config_digest] = documents.config
        self.layers.update(
            (layer.digest, layer.compressed_bytes)
            for layer in documents.record.layers
            if not layer.is_foreign
        )
        self.statements.update(
            layer.digest
            for layer in documents.record.layers
            if (layer.media_type or "").endswith("in-toto+json")
        )

    def tag(self, names: Iterable[str], served: Served) -> None:
        """Raises ValueError where a name is another's already."""
        self.references[served.digest] = served
        for name in names:
            if self.references.setdefault(name, served) != served:
                raise ValueError(f"the tag {name!r} names two things")


class DatasetContent:
    """What `weighbridge.demo.content.shelf.RegistryContent` asks for.

    documents: every record that is served, with what it is served as
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.documents: Sequence[Documents] = [*map(documents_of, records)]
        by_repository: dict[str, list[Documents]] = defaultdict(list)
        for documents in self.documents:
            by_repository[documents.record.repository].append(documents)
        self._held = {
            name: _joined(by_repository[name]) for name in sorted(by_repository)
        }
        self._names = [*self._held]

    def repositories(self) -> Sequence[str]:
        return self._names

    def tags(self, repository: str) -> Sequence[str] | None:
        held = self._held.get(repository)
        return None if held is None else held.tags

    def manifest(self, repository: str, reference: str) -> Served | None:
        held = self._held.get(repository)
        return None if held is None else held.references.get(reference)

    def blob(self, repository: str, digest: str) -> Blob | None:
        """Configs are whole; a layer is a gzip by its first and last bytes only, a
        statement is a text."""
        held = self._held.get(repository)
        if held is None:
            return None
        if (config := held.configs.get(digest)) is not None:
            return whole_blob(config)
        if (size := held.layers.get(digest)) is not None and digest in held.statements:
            return Blob(Digest(digest), size, b'{"_type": "', b" ", b'"}')
        if size is not None:
            return virtual_blob(Digest(digest), "gzip", size, size * 5 // 2)
        return None


def dataset_content(only: Sequence[str] = ("*",)) -> DatasetContent:
    """The repositories that one of these patterns matches (`repo-info-2018/h*`), all
    by default. Skips the test where the data set is absent."""
    return DatasetContent(
        [
            record
            for record in recorded()
            if any(fnmatchcase(record.repository, pattern) for pattern in only)
        ]
    )


def _joined(group: Sequence[Documents]) -> _Repository:
    repository = _Repository()
    for documents in group:
        repository.hold(documents)
    for children in _by_index(group).values():
        # Each child has recorded all of the index's tags.
        names = dict.fromkeys(t for c in children for t in c.record.index_tags)
        repository.tag(names, index_of(children))
    for tag, named in _by_tag(group).items():
        served = named[0].manifest if len(named) == 1 else index_of(named)
        repository.tag([tag], repository.references.get(served.digest, served))
    digests = {served.digest for served in repository.references.values()}
    repository.tags = sorted(repository.references.keys() - digests)
    return repository


def _by_index(group: Iterable[Documents]) -> Mapping[str, list[Documents]]:
    children: dict[str, list[Documents]] = defaultdict(list)
    for documents in group:
        if documents.record.index_digest:
            children[documents.record.index_digest].append(documents)
    return children


def _by_tag(group: Iterable[Documents]) -> Mapping[str, list[Documents]]:
    named: dict[str, list[Documents]] = defaultdict(list)
    for documents in group:
        for tag in documents.record.manifest_tags:
            named[tag].append(documents)
    return named
