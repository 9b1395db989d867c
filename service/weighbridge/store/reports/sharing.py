"""What tags, repositories, projects and registries store, by class, and what of it is
their own: counted from what their tags lead to, each blob once in a storage scope.

A project is the repositories whose names begin with its path. What it stores is not the
sum over these, and neither is what is its own: a blob that two of them hold, and nobody
else, is.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct, field
from sqlalchemy import Connection, bindparam, func, select

from weighbridge.domain.reclaim.reclaim_report import LEAVES_TAGS_OUT
from weighbridge.domain.reclaim.storage_split import (
    CLASSES,
    ClassBytes,
    StorageSplit,
    class_of_artifact,
)
from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.domain.sharing import SEVERAL
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.ledger.expressions import HAS_FACTS
from weighbridge.store.ledger.holdings import contents_of, read_holdings, read_owners
from weighbridge.store.ledger.releasing import (
    foreign_among,
    freed_blobs,
    pieces_of,
    read_reach,
)
from weighbridge.store.ledger.scopes import LedgerPlace, parts_by_scope
from weighbridge.store.models import (
    artifacts,
    blobs,
    images,
    registries,
    repositories,
    repository_blobs,
    repository_manifests,
)
from weighbridge.store.named_rows import find_place
from weighbridge.store.reports.reclaim import find_unknown, targets_of

PROJECT_REPOSITORIES: Final = 2_000
"""Of a project or a registry with more nothing is said while somebody waits."""
REPOSITORY_MANIFESTS: Final = 10_000
"""Of a repository with more the classes are not shown while somebody waits: what it
stores in all is known without going through them."""
_PIECE: Final = 2_000
_held = repository_blobs.c
_LIVE: Final = Rows(
    select(repository_manifests.c.manifest_id)
    .where(
        repository_manifests.c.repository_id == bindparam("repository"),
        repository_manifests.c.manifest_id > bindparam("after"),
    )
    .order_by(repository_manifests.c.manifest_id)
    .limit(_PIECE)
)
_MANIFESTS: Final = (
    select(func.count())
    .select_from(repository_manifests)
    .where(repository_manifests.c.repository_id == bindparam("repository"))
)
_KINDS: Final = Rows(
    select(
        blobs.c.id,
        func.coalesce(images.c.config_id, artifacts.c.config_id).label("config_id"),
        artifacts.c.artifact_type,
    )
    .outerjoin_from(blobs, images, images.c.id == blobs.c.id)
    .outerjoin(artifacts, artifacts.c.id == blobs.c.id)
    .where(among_ids(blobs.c.id), HAS_FACTS)
)
_HOLDERS: Final = (
    select(_held.blob_id, func.count().label("holders"))
    .where(among_ids(_held.scope_id, "scopes"), among_ids(_held.blob_id))
    .group_by(_held.blob_id)
)
_OF_PROJECT: Final = (
    select(
        repositories.c.id,
        repositories.c.scope_id,
        repositories.c.state,
        repositories.c.held,
    )
    .join(registries, registries.c.id == repositories.c.registry_id)
    .where(
        registries.c.name == bindparam("registry"), repositories.c.deleted_at.is_(None)
    )
    .order_by(repositories.c.registry_id, repositories.c.name)
    .limit(PROJECT_REPOSITORIES + 1)
)


class _Blobs(Struct):
    """Of one storage scope: the class of each blob, as a place in CLASSES, and how many
    of the repositories that are counted hold it."""

    classes: dict[int, int] = field(default_factory=dict)
    holders: Counter[int] = field(default_factory=Counter)
    place: LedgerPlace | None = None


def split_of_tags(
    connection: Connection,
    repository: RepositoryReport,
    names: Collection[str],
    *,
    leaves_tags_out: bool = False,
) -> StorageSplit:
    """What these tags lead to, and what of it nothing else refers to.

    leaves_tags_out: the configuration leaves tags of this registry out
    """
    place = _place_of(connection, repository)
    untagged = targets_of(connection, place.repository_id, names)
    reach = read_reach(connection, place, untagged)
    found = _Blobs(place=place)
    count = _add(connection, found, reach.counts)
    why = find_unknown(connection, repository, leaves_tags_out=leaves_tags_out)
    own = {}
    if why is None:
        own[place.scope_id] = freed_blobs(connection, place, reach, untagged)
    return _split(connection, [found], own, 1, count, why)


def split_of_repository(
    connection: Connection,
    repository: RepositoryReport,
    *,
    leaves_tags_out: bool = False,
    most: int = REPOSITORY_MANIFESTS,
) -> StorageSplit:
    """What all of its tags lead to."""
    place = _place_of(connection, repository)
    why = find_unknown(connection, repository, leaves_tags_out=leaves_tags_out)
    of_it = {"repository": place.repository_id}
    count = connection.execute(_MANIFESTS, of_it).scalar_one()
    if count > most and repository.deduplicated_bytes is not None:
        exclusive = None if why else repository.exclusive_bytes
        counted = ClassBytes(repository.deduplicated_bytes, exclusive)
        why = why or f"its classes are not shown: it has more than {most:,} manifests"
        return StorageSplit(1, count, None, {}, why, counted)
    return _of_places(connection, [place], why)


def split_of_project(
    connection: Connection,
    registry: str,
    project: str,
    *,
    leaves_tags_out: bool = False,
) -> StorageSplit:
    """What the repositories store whose names begin with a path, all of the registry
    for ""."""
    statement = _OF_PROJECT
    if project:
        name = repositories.c.name
        statement = statement.where(
            (name == project) | name.between(f"{project}/", f"{project}/\x7f")
        )
    rows = connection.execute(statement, {"registry": registry}).all()
    if len(rows) > PROJECT_REPOSITORIES:
        many = f"it has more than {PROJECT_REPOSITORIES:,} repositories"
        return StorageSplit(0, 0, 0, {}, many)
    not_seen = sum(row.state != "ok" or row.held is not None for row in rows)
    why: str | None = None
    if leaves_tags_out:
        why = LEAVES_TAGS_OUT
    elif not_seen:
        why = f"{not_seen:,} of its repositories were not seen whole"
    places = [LedgerPlace(row.id, row.scope_id) for row in rows]
    return _of_places(connection, places, why)


def _place_of(connection: Connection, repository: RepositoryReport) -> LedgerPlace:
    place = find_place(connection, repository.registry, repository.repository)
    assert place is not None  # noqa: S101 - the report is of a row
    return LedgerPlace(*place)


def _of_places(
    connection: Connection, places: Iterable[LedgerPlace], why: str | None
) -> StorageSplit:
    scopes: dict[int, _Blobs] = {}
    manifests: set[int] = set()
    repositories_seen = 0
    for place in places:
        repositories_seen += 1
        found = scopes.setdefault(place.scope_id, _Blobs())
        found.place = place
        manifests |= _add_live(connection, found, place)
    own = {}
    if why is None:
        own = {scope: _own(connection, scope, found) for scope, found in scopes.items()}
    count = len(manifests)
    return _split(connection, scopes.values(), own, repositories_seen, count, why)


def _add_live(connection: Connection, found: _Blobs, place: LedgerPlace) -> set[int]:
    """Add what a repository holds; returns its manifests."""
    manifests: set[int] = set()
    of_it = _Blobs()
    after = 0
    while True:
        parameters = {"repository": place.repository_id, "after": after}
        piece = [number for (number,) in _LIVE.read(connection, parameters)]
        _add(connection, of_it, piece)
        manifests.update(piece)
        if len(piece) < _PIECE:
            break
        after = piece[-1]
    for blob, number in of_it.classes.items():
        found.classes[blob] = min(found.classes.get(blob, number), number)
        found.holders[blob] += 1
    return manifests


def _add(connection: Connection, found: _Blobs, manifests: Iterable[int]) -> int:
    """Add the blobs of manifests whose documents are kept; returns how many these
    are."""
    count = 0
    for piece in pieces_of(manifests):
        configs: dict[int, int | None] = {}
        classes: dict[int, int] = {}
        for number, config, kind in _KINDS.read(connection, {"ids": listed(piece)}):
            configs[number] = config
            named = "images" if kind is None else class_of_artifact(kind)
            classes[number] = CLASSES.index(named)
        count += len(configs)
        for manifest, held in contents_of(connection, configs).items():
            of = classes[manifest]
            for blob in held:
                found.classes[blob] = min(found.classes.get(blob, of), of)
    return count


def _own(connection: Connection, scope_id: int, found: _Blobs) -> set[int]:
    """The blobs that nothing holds but the repositories that are counted."""
    own: set[int] = set()
    parts: list[int] = []
    for piece in pieces_of(sorted(found.classes)):
        owners = read_owners(connection, scope_id, piece)
        own.update(b for b in piece if owners.get(b, SEVERAL) != SEVERAL)
        shared = [b for b in piece if b not in own and found.holders[b] > 1]
        if not shared:
            continue
        parts = parts or parts_by_scope(connection, [scope_id])[scope_id]
        parameters = {"scopes": listed(parts), "ids": listed(shared)}
        rows = connection.execute(_HOLDERS, parameters)
        own.update(blob for blob, n in rows if n == found.holders[blob])
    return own


def _split(
    connection: Connection,
    scopes: Iterable[_Blobs],
    own: Mapping[int, set[int]],
    repositories_seen: int,
    manifests: int,
    why: str | None,
) -> StorageSplit:
    stored, exclusive = [0] * len(CLASSES), [0] * len(CLASSES)
    count = 0
    for found in scopes:
        for blob, size in _sizes(connection, found):
            count += 1
            place = found.classes[blob]
            stored[place] += size
            if found.place and blob in own.get(found.place.scope_id, ()):
                exclusive[place] += size
    classes = {
        name: ClassBytes(stored[n], None if why else exclusive[n])
        for n, name in enumerate(CLASSES)
    }
    return StorageSplit(repositories_seen, manifests, count, classes, why)


def _sizes(connection: Connection, found: _Blobs) -> Iterator[tuple[int, int]]:
    """What each blob takes; foreign ones that are stored nowhere are left out."""
    assert found.place is not None  # noqa: S101 - it holds something
    for piece in pieces_of(sorted(found.classes)):
        held = read_holdings(connection, {found.place: piece})[found.place]
        foreign = foreign_among(connection, held)
        yield from ((b.blob, b.stored_bytes) for b in held if b.blob not in foreign)
