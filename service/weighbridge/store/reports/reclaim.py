"""What deleting tags of a repository frees, by the ledger's own counts: nothing is
written.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select

from weighbridge.domain.growth.newest import Candidate
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.reclaim.keep_rules import (
    AgedTag,
    KeepRules,
    not_kept,
    subject_of,
)
from weighbridge.domain.reclaim.reclaim_report import (
    Freed,
    ReclaimReport,
    Releasing,
    why_nothing,
    why_unknown,
)
from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.domain.sharing import (
    NOT_LIVE,
    LostBlobs,
    leaving,
)
from weighbridge.store.dialect import Rows, among_ids, among_texts, listed
from weighbridge.store.ledger.releasing import (
    ReachedManifests,
    add_blobs,
    lost_blobs,
    pieces_of,
    read_reach,
)
from weighbridge.store.ledger.scopes import LedgerPlace
from weighbridge.store.models import (
    blobs,
    images,
    index_members,
    registries,
    repositories,
    repository_summaries,
    tags,
)
from weighbridge.store.registries.registry_rows import held_removals
from weighbridge.store.reports.traffic import last_pulls
from weighbridge.store.session import Database

_COUNTED_AT_ONCE: Final = 500
_NAMED: Final = 5
"""Tags that are named of those that stay."""
_LEFT_BEHIND: Final = 100
NO_PULL_TIMES: Final = (
    "keep_pulled_days is set, and its registry gives no times of pulls"
)
"""Why nothing is said of what a rule about pulls does not keep."""
_ROUNDS: Final = 3
"""Signatures of signatures are followed so far."""
_TAGS = select(
    tags.c.name,
    tags.c.target_id,
    tags.c.pushed_at,
    tags.c.moved_at,
    tags.c.first_seen_at,
).where(
    tags.c.repository_id == bindparam("repository"),
    tags.c.deleted_at.is_(None),
    tags.c.target_id.is_not(None),
)
_ALL_TAGS: Final = Rows(_TAGS)
_SOME_TAGS: Final = Rows(_TAGS.where(among_texts(tags.c.name)))
_NAMING: Final = Rows(_TAGS.where(among_ids(tags.c.target_id)))
_COMPANIONS: Final = Rows(_TAGS.where(tags.c.name.between("sha256-", "sha512-~")))
_KNOWN: Final = Rows(
    select(tags.c.name).where(
        tags.c.repository_id == bindparam("repository"),
        tags.c.deleted_at.is_(None),
        among_texts(tags.c.name),
    )
)
_DIGESTS: Final = Rows(select(blobs.c.id, blobs.c.digest).where(among_ids(blobs.c.id)))
_CREATED: Final = (
    select(images.c.id, images.c.created_at).where(among_ids(images.c.id)),
    select(index_members.c.index_id, func.max(images.c.created_at))
    .join(images, images.c.id == index_members.c.child_id)
    .where(among_ids(index_members.c.index_id))
    .group_by(index_members.c.index_id),
)
# What was not read yet may be an image.
_ARTIFACTS: Final = select(blobs.c.id).where(
    among_ids(blobs.c.id),
    or_(
        blobs.c.facts_state == "artifact",
        and_(
            blobs.c.facts_state == "index",
            ~exists().where(
                index_members.c.index_id == blobs.c.id,
                index_members.c.role.in_(("image", "index")),
            ),
        ),
    ),
)
_PLACE: Final = (
    select(
        repositories.c.id,
        repositories.c.scope_id,
        repositories.c.registry_id,
        repositories.c.held,
    )
    .join(registries, registries.c.id == repositories.c.registry_id)
    .where(
        registries.c.name == bindparam("registry"),
        repositories.c.name == bindparam("repository"),
    )
)


class CountedRepository(NamedTuple):
    """A repository of a configured registry. mark: another one after each change of
    what it holds, and of whose that is"""

    registry: str
    repository: str
    mark: tuple[int, str]


_COUNTED: Final = (
    select(
        repositories.c.id,
        registries.c.name,
        repositories.c.name.label("repository"),
        repositories.c.state,
        repository_summaries.c.revision,
    )
    .join(registries, registries.c.id == repositories.c.registry_id)
    .join(
        repository_summaries, repository_summaries.c.repository_id == repositories.c.id
    )
    .where(
        repositories.c.id > bindparam("after"),
        repositories.c.deleted_at.is_(None),
        registries.c.state != "unconfigured",
    )
    .order_by(repositories.c.id)
    .limit(_COUNTED_AT_ONCE)
)


def count_pieces(database: Database) -> Iterator[list[CountedRepository]]:
    """All that may be counted, a piece at a time; no transaction stays open between
    two."""
    after = 0
    while True:
        with database.read() as connection:
            rows = connection.execute(_COUNTED, {"after": after}).all()
        if not rows:
            return
        after = rows[-1].id
        yield [
            CountedRepository(row.name, row.repository, (row.revision, row.state))
            for row in rows
        ]


class LiveTag(NamedTuple):
    name: str
    target: int
    pushed_at: datetime | None
    moved_at: datetime | None
    first_seen_at: datetime


def reclaim_tags(
    connection: Connection,
    repository: RepositoryReport,
    names: Collection[str],
    now: datetime,
    *,
    leaves_tags_out: bool = False,
) -> ReclaimReport:
    """What deleting these tags frees. Names that are no live tags are passed over.

    leaves_tags_out: the configuration leaves tags of this registry out
    """
    opened = _opened(connection, repository, leaves_tags_out=leaves_tags_out)
    if isinstance(opened, str):
        return _unknown(repository, opened)
    parameters = {"repository": opened.repository_id, "names": listed(sorted(names))}
    found = [LiveTag(*row) for row in _SOME_TAGS.read(connection, parameters)]
    return _report(connection, repository, opened, found, now, takes_companions=False)


def unknown_tags(
    connection: Connection, repository: RepositoryReport, names: Collection[str]
) -> list[str]:
    """Those of the names that are no live tags of the repository, in their order. A tag
    that could never be read is one."""
    row = connection.execute(
        _PLACE,
        {"registry": repository.registry, "repository": repository.repository},
    ).one()
    parameters = {"repository": row.id, "names": listed(sorted(names))}
    found = {name for (name,) in _KNOWN.read(connection, parameters)}
    return [name for name in dict.fromkeys(names) if name not in found]


def reclaim_by_rules(
    connection: Connection,
    repository: RepositoryReport,
    rules: KeepRules,
    now: datetime,
    *,
    leaves_tags_out: bool = False,
    most_tags: int | None = None,
) -> ReclaimReport:
    """What deleting all tags frees that no rule keeps, and those that belong to what
    then goes: signatures, attestations and lists of referrers.

    most_tags: of a repository with more nothing is said
    """
    opened = _opened(connection, repository, leaves_tags_out=leaves_tags_out)
    if isinstance(opened, str):
        return _unknown(repository, opened)
    if most_tags is not None and repository.tags > most_tags:
        why = f"it has more than {most_tags:,} tags: see weighbridge reclaim"
        return _unknown(repository, why)
    pulled: Mapping[str, datetime | None] = {}
    if rules.pulled_days is not None:
        last = last_pulls(connection, opened.repository_id)
        if not last.is_told:
            return _unknown(repository, NO_PULL_TIMES)
        pulled = last.by_tag
    rows = _ALL_TAGS.read(connection, {"repository": opened.repository_id})
    known = {tag.name: tag for tag in map(LiveTag._make, rows)}
    aged = _aged(connection, known.values(), pulled)
    going = [known[each.candidate.tag] for each in not_kept(rules, aged, now)]
    return _report(connection, repository, opened, going, now, takes_companions=True)


def frees_alone(
    connection: Connection, repository_id: int, scope_id: int, targets: Collection[int]
) -> dict[int, int]:
    """What deleting all tags of each of these targets frees, the others staying."""
    place = LedgerPlace(repository_id, scope_id)
    reach = read_reach(connection, place, targets)
    owners: dict[int, int] = {}
    for target in targets:
        named, _ = reach.counts.get(target, NOT_LIVE)
        alone = leaving(reach.counts, reach.children, {target: named})
        owners |= dict.fromkeys(alone, target)
    lost = LostBlobs()
    add_blobs(connection, reach, list(owners), [(lost, owners)])
    sizes: Counter[int] = Counter()
    for of, _, stored_bytes, is_freed in lost_blobs(connection, place, lost):
        sizes[of] += stored_bytes if is_freed else 0
    return {target: sizes[target] for target in targets}


def find_unknown(
    connection: Connection, repository: RepositoryReport, *, leaves_tags_out: bool
) -> str | None:
    """Why it is not known what deleting tags of the repository frees; None: it is."""
    opened = _opened(connection, repository, leaves_tags_out=leaves_tags_out)
    return opened if isinstance(opened, str) else None


def _opened(
    connection: Connection, repository: RepositoryReport, *, leaves_tags_out: bool
) -> LedgerPlace | str:
    """Where it is in the ledger, or why nothing can be said of it."""
    row = connection.execute(
        _PLACE,
        {"registry": repository.registry, "repository": repository.repository},
    ).one()
    is_held = row.held is not None or row.id in held_removals(
        connection, row.registry_id
    )
    why = why_unknown(
        repository.state,
        repository.state_reason,
        is_held=is_held,
        leaves_tags_out=leaves_tags_out,
    )
    return why or LedgerPlace(row.id, row.scope_id)


def _unknown(repository: RepositoryReport, why: str) -> ReclaimReport:
    return ReclaimReport(
        repository.registry,
        repository.repository,
        repository.storage_scope,
        repository.deduplicated_bytes,
        tags=0,
        reason=why,
    )


def _aged(
    connection: Connection,
    found: Iterable[LiveTag],
    pulled: Mapping[str, datetime | None] | None = None,
) -> list[AgedTag]:
    tags_found = list(found)
    targets = sorted({tag.target for tag in tags_found})
    digests = _digests(connection, targets)
    created: dict[int, datetime] = {}
    artifacts: set[int] = set()
    for piece in pieces_of(targets):
        rows = connection.execute(_ARTIFACTS, {"ids": listed(piece)})
        artifacts.update(rows.scalars())
        for statement in _CREATED:
            rows = connection.execute(statement, {"ids": listed(piece)})
            created |= {number: at for number, at in rows if at is not None}
    return [
        AgedTag(
            Candidate(
                tag.name,
                digests[tag.target],
                tag.pushed_at,
                tag.moved_at,
                created.get(tag.target),
                0,
            ),
            tag.first_seen_at,
            None if pulled is None else pulled.get(tag.name),
            tag.target in artifacts,
        )
        for tag in tags_found
    ]


def _digests(connection: Connection, ids: Iterable[int]) -> dict[int, Digest]:
    found: dict[int, Digest] = {}
    for piece in pieces_of(ids):
        found |= dict(_DIGESTS.read(connection, {"ids": listed(piece)}))
    return found


def _report(
    connection: Connection,
    repository: RepositoryReport,
    place: LedgerPlace,
    going: Sequence[LiveTag],
    now: datetime,
    *,
    takes_companions: bool,
) -> ReclaimReport:
    reach = read_reach(connection, place, {tag.target for tag in going})
    gone = _gone(reach, going)
    digests = _digests(connection, gone)
    behind = _companions(connection, place, going, digests.values())
    for _ in range(_ROUNDS if takes_companions else 0):
        if not behind:
            break
        going = [*going, *behind]
        reach = read_reach(connection, place, {tag.target for tag in going})
        gone = _gone(reach, going)
        digests = _digests(connection, gone)
        behind = _companions(connection, place, going, digests.values())
    freed, alone = _freed(connection, place, reach, going, gone, digests)
    groups = _groups(connection, place, reach, going, alone, now)
    return ReclaimReport(
        repository.registry,
        repository.repository,
        repository.storage_scope,
        repository.deduplicated_bytes,
        tags=len(going),
        groups=groups,
        freed=freed,
        reason=why_nothing(groups, freed),
        left_behind=[tag.name for tag in behind[:_LEFT_BEHIND]],
    )


def _gone(reach: ReachedManifests, going: Iterable[LiveTag]) -> list[int]:
    untagged = Counter(tag.target for tag in going)
    return leaving(reach.counts, reach.children, untagged)


def _companions(
    connection: Connection,
    place: LedgerPlace,
    going: Iterable[LiveTag],
    digests: Collection[Digest],
) -> list[LiveTag]:
    """The tags that belong to what goes, and do not go themselves."""
    if not digests:
        return []
    names, subjects = {tag.name for tag in going}, frozenset(digests)
    rows = _COMPANIONS.read(connection, {"repository": place.repository_id})
    found = map(LiveTag._make, rows)
    return sorted(
        tag
        for tag in found
        if tag.name not in names and subject_of(tag.name) in subjects
    )


def _freed(
    connection: Connection,
    place: LedgerPlace,
    reach: ReachedManifests,
    going: Sequence[LiveTag],
    gone: Sequence[int],
    digests: Mapping[int, Digest],
) -> tuple[Freed, Counter[int]]:
    """What goes with all tags together, and what goes with each group alone."""
    alone: dict[int, int] = {}
    for target, count in Counter(tag.target for tag in going).items():
        each = leaving(reach.counts, reach.children, {target: count})
        alone |= dict.fromkeys(each, target)
    together, apart = LostBlobs(), LostBlobs()
    of_all = dict.fromkeys(gone, place.repository_id)
    add_blobs(connection, reach, gone, [(together, of_all), (apart, alone)])
    freed_bytes = elsewhere_bytes = count = 0
    of_group: Counter[int] = Counter()
    for _, blob, stored_bytes, is_freed in lost_blobs(connection, place, together):
        if is_freed:
            freed_bytes += stored_bytes
            count += 1
            if (
                apart.owner.get(blob)
                and apart.manifests[blob] == together.manifests[blob]
            ):
                of_group[apart.owner[blob]] += stored_bytes
        else:
            elsewhere_bytes += stored_bytes
    manifests = [digests[m] for m in gone if m in reach.configs]
    return Freed(manifests, count, freed_bytes, elsewhere_bytes), of_group


def targets_of(
    connection: Connection, repository_id: int, names: Collection[str]
) -> Counter[int]:
    """What these tags name, and how many of them name it."""
    parameters = {"repository": repository_id, "names": listed(sorted(names))}
    found = map(LiveTag._make, _SOME_TAGS.read(connection, parameters))
    return Counter(tag.target for tag in found)


def _groups(
    connection: Connection,
    place: LedgerPlace,
    reach: ReachedManifests,
    going: Sequence[LiveTag],
    alone: Mapping[int, int],
    now: datetime,
) -> list[Releasing]:
    since = {tag.candidate.tag: tag.since(now) for tag in _aged(connection, going)}
    by_target: dict[int, list[LiveTag]] = {}
    for tag in going:
        by_target.setdefault(tag.target, []).append(tag)
    left = {
        target: reach.counts[target][0] - len(found)
        for target, found in by_target.items()
    }
    stays = _staying(connection, place, going, [t for t, n in left.items() if n > 0])
    digests = _digests(connection, by_target)
    groups = [
        Releasing(
            digest=digests[target],
            tags=sorted(tag.name for tag in found),
            stays=sorted(stays.get(target, ()))[:_NAMED],
            stay_count=left[target],
            is_listed=reach.counts[target][1] > 0,
            since=max(since[tag.name] for tag in found),
            freed_bytes=alone.get(target, 0),
        )
        for target, found in by_target.items()
    ]
    return sorted(groups, key=lambda group: (-group.freed_bytes, group.tags))


def _staying(
    connection: Connection,
    place: LedgerPlace,
    going: Iterable[LiveTag],
    targets: Sequence[int],
) -> dict[int, list[str]]:
    """The names of tags that stay at these targets."""
    names = {tag.name for tag in going}
    found: dict[int, list[str]] = {}
    for piece in pieces_of(targets):
        parameters = {"repository": place.repository_id, "ids": listed(piece)}
        for row in _NAMING.read(connection, parameters):
            tag = LiveTag(*row)
            if tag.name not in names:
                found.setdefault(tag.target, []).append(tag.name)
    return found
