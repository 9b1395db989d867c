"""The ledger once more, by brute force: everything from tags and facts, in sets.

It shares nothing with the store but the tables' names, so that a mistake in one is
no mistake in the other.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, text

from weighbridge.store.session import Database

LARGEST: Final = 2**63 - 1
_IMAGE, _INDEX, _ARTIFACT, _UNWEIGHABLE = 2, 3, 4, 5

Rows = dict[str, set[tuple[object, ...]]]


def stored(database: Database) -> Rows:
    """What the ledger's tables hold."""
    with database.read() as connection:
        return {
            name: {tuple(row) for row in connection.execute(text(query))}
            for name, query in _STORED.items()
        }


_STORED: Final = {
    "repository_manifests": "SELECT repository_id, manifest_id, tag_count, index_count"
    " FROM repository_manifests",
    "repository_blobs": "SELECT scope_id, blob_id, repository_id, manifest_count"
    " FROM repository_blobs",
    "scope_blobs": "SELECT scope_id, blob_id, sole_repository_id FROM scope_blobs",
    "storage_scopes": "SELECT id, image_count, weighed_bytes, deduplicated_bytes,"
    " shared_bytes FROM storage_scopes",
    "repository_summaries": "SELECT repository_id, tag_count, image_count,"
    " deduplicated_bytes, exclusive_bytes FROM repository_summaries",
}


def counted(database: Database) -> Rows:
    """What they ought to hold."""
    with database.read() as connection:
        return _Facts(connection).rows()


class _Facts:
    def __init__(self, connection: Connection) -> None:
        def all_of(query: str) -> list[tuple[int, ...]]:
            return [tuple(row) for row in connection.execute(text(query))]

        def mapped(query: str) -> dict[int, int]:
            return {row[0]: row[1] for row in all_of(query)}

        self.scopes = mapped("SELECT id, scope_id FROM repositories")
        # Rows of one address and name are parts of one scope.
        whole = {
            part: (address, name)
            for part, address, name in all_of(
                "SELECT storage_scopes.id, address, storage_scopes.name"
                " FROM storage_scopes JOIN registries ON registry_id = registries.id"
            )
        }
        self.parts_of = {
            part: [other for other in whole if whole[other] == whole[part]]
            for part in whole
        }
        self.state = mapped("SELECT id, facts_state FROM blobs")
        self.claims = {
            blob: 0 if foreign or conflict else compressed or 0
            for blob, foreign, conflict, compressed in all_of(
                "SELECT id, is_foreign, has_conflict, compressed_bytes FROM blobs"
            )
        }
        self.read = mapped(
            "SELECT id, read_bytes FROM blobs WHERE read_bytes IS NOT NULL"
        )
        self.words = {
            (scope, blob): known
            for scope, blob, known in all_of(
                "SELECT scope_id, blob_id, CASE WHEN claim_reason ="
                " 'not_found' THEN 0 ELSE registry_bytes END"
                " FROM blob_sizes"
            )
            if known is not None
        }
        self.claimed_weights = mapped("SELECT id, compressed_bytes FROM images")
        self.weights = {
            (scope, image): known
            for scope, image, known in all_of(
                "SELECT scope_id, manifest_id, compressed_bytes FROM manifest_sizes"
            )
            if known is not None
        }
        self.children = defaultdict(set)
        for index, child in all_of("SELECT index_id, child_id FROM index_members"):
            # What was pruned has its members still, for history.
            if self.state[index] == _INDEX:
                self.children[index].add(child)
        self.parts = defaultdict(set)
        for image, blob in all_of("SELECT image_id, blob_id FROM layers"):
            self.parts[image].add(blob)
        for table in ("images", "artifacts"):
            for manifest, config in all_of(f"SELECT id, config_id FROM {table}"):  # noqa: S608
                if config is not None:
                    self.parts[manifest].add(config)
        self.tags: dict[int, list[int]] = defaultdict(list)
        self.tag_counts: Counter[int] = Counter()
        for repository, target in all_of(
            "SELECT repository_id, target_id FROM tags WHERE deleted_at IS NULL"
        ):
            self.tag_counts[repository] += 1
            if target is not None:
                self.tags[repository].append(target)

    def rows(self) -> Rows:
        rows: Rows = {name: set() for name in _STORED}
        holders: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
        held_by: dict[int, set[int]] = {}
        images: dict[int, int] = {}
        for repository, scope in self.scopes.items():
            live = self.live_in(repository)
            for manifest in live:
                tags = self.tags[repository].count(manifest)
                indexes = sum(manifest in self.children[index] for index in live)
                rows["repository_manifests"].add((repository, manifest, tags, indexes))
            counts: Counter[int] = Counter()
            for manifest in live:
                counts.update(self._held(manifest))
            for blob, count in counts.items():
                rows["repository_blobs"].add((scope, blob, repository, count))
                holders[scope][blob].add(repository)
            held_by[repository] = set(counts)
            images[repository] = sum(self.state[m] == _IMAGE for m in live)
        for scope, parts in self.parts_of.items():
            held = holders[scope]
            shared = []
            for blob in held:
                by = set[int]().union(
                    *(holders[part].get(blob, set()) for part in parts)
                )
                sole = next(iter(by)) if len(by) == 1 else None
                rows["scope_blobs"].add((scope, blob, sole))
                shared += [blob] if len(by) > 1 else []
            weighed = [
                self.weights.get((scope, b), self.claimed_weights[b])
                for b in held
                if self.state[b] == _IMAGE
            ]
            rows["storage_scopes"].add(
                (
                    scope,
                    len(weighed),
                    _fit(sum(weighed)),
                    self._bytes(scope, held),
                    self._bytes(scope, shared),
                )
            )
        for repository, scope in self.scopes.items():
            blobs = held_by[repository]
            sole_blobs = [
                b
                for b in blobs
                if all(
                    holders[part].get(b, set()) <= {repository}
                    for part in self.parts_of[scope]
                )
            ]
            rows["repository_summaries"].add(
                (
                    repository,
                    self.tag_counts[repository],
                    images[repository],
                    self._bytes(scope, blobs),
                    self._bytes(scope, sole_blobs),
                )
            )
        return rows

    def live_in(self, repository: int) -> set[int]:
        live: set[int] = set()
        waiting = list(self.tags[repository])
        while waiting:
            manifest = waiting.pop()
            if manifest not in live:
                live.add(manifest)
                waiting += self.children[manifest]
        return live

    def held_in_scope_of(self, repository: int) -> set[int]:
        """What the repositories of a storage scope hold together."""
        parts = self.parts_of[self.scopes[repository]]
        of_scope = [r for r, scope in self.scopes.items() if scope in parts]
        live = set[int]().union(*map(self.live_in, of_scope))
        return set[int]().union(*map(self._held, live))

    def _held(self, manifest: int) -> set[int]:
        state = self.state[manifest]
        if state in (_IMAGE, _ARTIFACT):
            return {manifest} | self.parts[manifest]
        return {manifest} if state in (_INDEX, _UNWEIGHABLE) else set()

    def _bytes(self, scope: int, blobs: object) -> int:
        assert isinstance(blobs, (set, list, dict))
        return _fit(sum(self.size_in(scope, blob) for blob in blobs))

    def size_in(self, scope: int, blob: int) -> int:
        """What we counted ourselves; else the registry's word; else a claim that
        nobody contradicts."""
        if blob in self.read:
            return self.read[blob]
        return self.words.get((scope, blob), self.claims[blob])


def _fit(total: int) -> int:
    return min(total, LARGEST)


def freed_by_deleting(
    database: Database, repository: int, names: Collection[str]
) -> tuple[set[int], set[int], int]:
    """What goes with tags of a repository: manifests that nothing there leads to, blobs
    that nothing in its storage scope holds (the foreign ones that are stored nowhere
    left out), and their bytes. All is counted with the tags and without them."""
    with database.read() as connection:
        facts = _Facts(connection)
        named: dict[str, int] = {
            row.name: row.target_id
            for row in connection.execute(
                text(
                    "SELECT name, target_id FROM tags WHERE deleted_at IS NULL AND"
                    " target_id IS NOT NULL AND repository_id = :repository"
                ),
                {"repository": repository},
            )
        }
        foreign = {
            row.id
            for row in connection.execute(text("SELECT id, is_foreign FROM blobs"))
            if row.is_foreign
        }
    before = facts.held_in_scope_of(repository)
    live = facts.live_in(repository)
    facts.tags[repository] = [t for name, t in named.items() if name not in names]
    scope = facts.scopes[repository]
    sizes = {
        blob: facts.size_in(scope, blob)
        for blob in before - facts.held_in_scope_of(repository)
    }
    blobs = {b for b, size in sizes.items() if size or b not in foreign}
    return live - facts.live_in(repository), blobs, sum(sizes.values())
