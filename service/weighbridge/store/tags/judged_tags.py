"""What judging keeps of tags, beside violations.

Rows of `unjudged`: tags that moved and that no policy was held against yet.

Rows of `over_tags`: tags that stand over a limit of theirs, newest or not. A row is
written with the verdict of whoever moved the tag, and goes with the tag; so the
repository's count is kept by what changes, and no list reads every tag. Where policies
change, or sizes become known later, a repository is swept
(`engine/judge/judged_batch`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    update,
)

from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.store.dialect import (
    BulkDelete,
    BulkInsert,
    BulkUpdate,
    BulkUpsert,
    Rows,
    among_ids,
    among_texts,
    given_ids,
    listed,
    probe,
)
from weighbridge.store.leases.claiming import Claim
from weighbridge.store.models import (
    over_tags,
    repositories,
    repository_manifests,
    repository_summaries,
    tags,
    unjudged,
    violations,
)
from weighbridge.store.tags.tag_rows import read_tags

AT_ONCE: Final = 2_000
"""Tags that are judged in one transaction."""

_PUT_UNJUDGED: Final = BulkUpsert(
    unjudged, key=("repository_id", "tag_id"), values=("is_silent", "is_weighed")
)
_JUDGED: Final = BulkDelete(unjudged, key=("repository_id", "tag_id"))
_UNJUDGED: Final = (
    select(
        unjudged.c.tag_id,
        tags.c.name,
        case((tags.c.deleted_at.is_(None), tags.c.target_id)).label("target"),
        tags.c.moved_at,
        tags.c.pushed_at,
        unjudged.c.is_silent,
        unjudged.c.is_weighed,
    )
    .join(tags, tags.c.id == unjudged.c.tag_id)
    .limit(AT_ONCE)
)
_OF_MANY: Final = (
    _UNJUDGED.add_columns(unjudged.c.repository_id)
    .where(among_ids(unjudged.c.repository_id))
    .order_by(unjudged.c.repository_id, unjudged.c.tag_id)
)
_FIND: Final = _UNJUDGED.where(
    unjudged.c.repository_id == bindparam("repository"),
    unjudged.c.tag_id > bindparam("after"),
).order_by(unjudged.c.tag_id)
_MOVED: Final = _FIND.where(unjudged.c.is_weighed.is_(False))
_tag = tags.c
_LIVE: Final = select(
    _tag.id, _tag.name, _tag.target_id, _tag.moved_at, _tag.pushed_at
).where(_tag.deleted_at.is_(None), _tag.target_id.is_not(None))
_NEWEST: Final = (
    _LIVE.add_columns(_tag.repository_id)
    .join(
        repository_summaries,
        (_tag.repository_id == repository_summaries.c.repository_id)
        & (_tag.name == repository_summaries.c.newest_tag),
    )
    .where(among_ids(repository_summaries.c.repository_id))
)
_UNTOLD: Final = Rows(
    select(tags.c.id)
    .distinct()
    .outerjoin(
        violations,
        (violations.c.repository_id == tags.c.repository_id)
        & (violations.c.tag == tags.c.name)
        & violations.c.closed_at.is_(None)
        & violations.c.is_silent,
    )
    .where(
        tags.c.repository_id == bindparam("repository"),
        among_texts(tags.c.name),
        tags.c.deleted_at.is_(None),
        tags.c.target_id.is_not(None),
        or_(tags.c.moved_at.is_(None), violations.c.id.is_not(None)),
    )
)
_WEIGHED: Final = Rows(
    select(unjudged.c.tag_id)
    .join(tags, tags.c.id == unjudged.c.tag_id)
    .where(
        unjudged.c.repository_id == bindparam("repository"),
        unjudged.c.is_weighed,
        among_texts(tags.c.name),
    )
)
_WAITING: Final = (
    select(unjudged.c.repository_id, func.count())
    .group_by(unjudged.c.repository_id)
    .join(repositories, repositories.c.id == unjudged.c.repository_id)
    .where(repositories.c.registry_id == bindparam("registry"))
    .order_by(unjudged.c.repository_id)
)


class UnjudgedTag(Struct, frozen=True):
    """A tag that moved, as it is now.

    target:     None: it is gone, or cannot be read any more
    is_silent:  nobody is to be told: it came with its registry's first crawl
    is_weighed: all was judged but its uncompressed size, which is not known yet
    """

    tag_id: int
    name: str
    target: int | None
    moved_at: datetime | None
    pushed_at: datetime | None
    is_silent: bool = False
    is_weighed: bool = False


def note_unjudged(connection: Connection, found: Iterable[tuple[int, int]]) -> None:
    """Remember tags, by repository and id."""
    _PUT_UNJUDGED.add(connection, [(*key, False, False) for key in sorted(found)])


def note_said(connection: Connection, claim: Claim, names: Collection[str]) -> bool:
    """Remember tags of which somebody says that what we have seen there already was
    pushed just now: those that a first crawl has found, or that nobody was told of.
    Returns whether there are any."""
    parameters = {"repository": claim.repository_id, "names": listed(sorted(names))}
    found = [tag for (tag,) in _UNTOLD.read(connection, parameters)] if names else []
    note_unjudged(connection, [(claim.repository_id, tag) for tag in found])
    return bool(found)


def find_unjudged(
    connection: Connection, repository_ids: Collection[int], after: int = -1
) -> dict[int, list[UnjudgedTag]]:
    """The next tags of each repository that wait, at most `AT_ONCE`; where none waits
    there is no entry.

    after: -1, or the last tag of one repository
    """
    if len(repository_ids) > 1:
        ids = {"ids": listed(sorted(repository_ids))}
        rows = connection.execute(_OF_MANY, ids).all()
        if len(rows) < AT_ONCE:
            found: dict[int, list[UnjudgedTag]] = {}
            for *tag, number in rows:
                found.setdefault(number, []).append(UnjudgedTag(*tag))
            return found
    return {
        number: some
        for number in sorted(repository_ids)
        if (some := _find(connection, _FIND, number, after))
    }


def find_moved(
    connection: Connection, repository_id: int, after: int
) -> list[UnjudgedTag]:
    """The next tags that nothing was judged of yet, at most `AT_ONCE`."""
    return _find(connection, _MOVED, repository_id, after)


def _find(
    connection: Connection,
    statement: Select[*tuple[Any, ...]],
    repository_id: int,
    after: int | str,
) -> list[UnjudgedTag]:
    """The next tags of a repository: by id, or by name."""
    parameters = {"repository": repository_id, "after": after}
    return [UnjudgedTag(*row) for row in connection.execute(statement, parameters)]


def waits_for_size(
    connection: Connection, repository_id: int, names: Collection[str]
) -> bool:
    """Whether there is a limit on the uncompressed size of one of these tags, and that
    is not known yet."""
    if not names:
        return False
    parameters = {"repository": repository_id, "names": listed(sorted(names))}
    return bool(_WEIGHED.read(connection, parameters))


def find_tags(
    connection: Connection, repository_id: int, names: Collection[str]
) -> list[UnjudgedTag]:
    """Live tags by their names, to be judged though nobody has moved them."""
    found = read_tags(connection, {repository_id: sorted(names)})[repository_id]
    return [
        UnjudgedTag(tag.id, tag.name, tag.live_target, tag.moved_at, tag.pushed_at)
        for _, tag in sorted(found.items())
        if tag.live_target is not None
    ]


def find_newest(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, UnjudgedTag]:
    """The tag of the newest image of each repository, to be judged the same way."""
    rows = connection.execute(_NEWEST, {"ids": listed(sorted(repository_ids))})
    return {number: UnjudgedTag(*tag) for *tag, number in rows}


def keep_waiting(
    connection: Connection, waiting: Mapping[int, Iterable[UnjudgedTag]]
) -> None:
    """Remember tags of repositories of which not all could be judged yet."""
    rows = [
        (number, tag.tag_id, tag.is_silent, tag.is_weighed)
        for number, some in waiting.items()
        for tag in some
    ]
    _PUT_UNJUDGED.add(connection, rows)


def drop_unjudged(connection: Connection, judged: Mapping[int, Iterable[int]]) -> None:
    """These tags of repositories are judged."""
    rows = [(number, tag) for number, some in judged.items() for tag in sorted(some)]
    _JUDGED.remove(connection, rows)


def unjudged_repositories(connection: Connection, registry_id: int) -> dict[int, int]:
    """Repositories with tags that wait, and how many of each do."""
    rows = connection.execute(_WAITING, {"registry": registry_id})
    return {number: count for number, count in rows}


UNSETTLED: Final = "?"
"""No mark of any limits: the repository is to be swept."""
PAGE: Final = 1_000
"""Tags that are swept in one transaction."""

_row = over_tags.c
_summary = repository_summaries.c
_given = given_ids("repository_id", "tag_id")
_OF_TAGS: Final = Rows(
    select(*_row).select_from(
        probe(
            _given,
            over_tags,
            and_(
                _row.repository_id == _given.c.repository_id,
                _row.tag_id == _given.c.tag_id,
            ),
        )
    )
)
_DROP: Final = BulkDelete(over_tags, key=("repository_id", "tag_id"))
_ADD: Final = BulkInsert(over_tags, *(column.name for column in _row))
_COUNT: Final = (
    update(repository_summaries)
    .where(_summary.repository_id == bindparam("repository"))
    .values(
        over_tags=_summary.over_tags + bindparam("delta"),
        revision=_summary.revision + 1,
    )
)
_PAGE: Final = (
    _LIVE.where(
        _tag.repository_id == bindparam("repository"), _tag.name > bindparam("after")
    )
    .order_by(_tag.name)
    .limit(PAGE)
)
_WHOLE: Final = Rows(
    _LIVE.add_columns(_tag.repository_id)
    .where(among_ids(_tag.repository_id))
    .order_by(_tag.repository_id, _tag.name)
)
_SWEPT: Final = BulkUpdate(
    repository_summaries,
    key=("repository_id",),
    values=("limits_mark", "over_waits"),
)


class OverTag(NamedTuple):
    """A tag that stands over one limit on one platform; columns of `over_tags`."""

    repository_id: int
    tag_id: int
    platform: str
    limit_key: LimitKey
    policy: str
    team: str | None
    severity: Severity
    image_id: int
    limit_amount: int
    amount: int


def put_over_tags(
    connection: Connection,
    tag_ids: Mapping[int, Collection[int]],
    found: Sequence[OverTag],
) -> None:
    """Keep what these tags of each repository exceed, in place of what is known of
    them; nothing is written of a repository where that is the same.

    found: all of these tags, and of no others
    """
    before = _read(connection, tag_ids)
    now = set(found)
    changed = {row.repository_id for row in before ^ now}
    _DROP.remove(
        connection, sorted({row[:2] for row in before if row.repository_id in changed})
    )
    _ADD.add(
        connection,
        sorted(
            (row for row in now if row.repository_id in changed),
            key=lambda row: row[:4],
        ),
    )
    more = Counter(repository for repository, _ in {row[:2] for row in now})
    fewer = Counter(repository for repository, _ in {row[:2] for row in before})
    for repository_id in sorted(changed):
        _count(connection, repository_id, more[repository_id] - fewer[repository_id])


def drop_over_tags(
    connection: Connection, tag_ids: Mapping[int, Collection[int]]
) -> dict[int, int]:
    """These tags of repositories are gone. Returns of how many of each repository that
    counts no more; the caller counts them."""
    before = _read(connection, tag_ids)
    dropped = sorted({row[:2] for row in before})
    _DROP.remove(connection, dropped)
    return Counter(repository for repository, _ in dropped)


def _read(
    connection: Connection, tag_ids: Mapping[int, Collection[int]]
) -> set[OverTag]:
    if not any(tag_ids.values()):
        return set()
    return {OverTag(*row) for row in _OF_TAGS.read(connection, {"keys": tag_ids})}


def tags_to_sweep(
    connection: Connection, repository_id: int, after: str
) -> list[UnjudgedTag]:
    """The next live tags by name, at most `PAGE`; after: a name, "" for the first."""
    return _find(connection, _PAGE, repository_id, after)


def all_tags_to_sweep(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, list[UnjudgedTag]]:
    """All live tags of each of these repositories."""
    found: dict[int, list[UnjudgedTag]] = {number: [] for number in repository_ids}
    parameters = {"ids": listed(sorted(repository_ids))}
    for *tag, number in _WHOLE.read(connection, parameters):
        found[number].append(UnjudgedTag(*tag))
    return found


def note_swept(connection: Connection, marks: Mapping[int, tuple[str, bool]]) -> None:
    """Every tag of these repositories, whose rows are locked, was held against the
    limits of a mark; and whether a size of some of them is not known yet."""
    _SWEPT.set(connection, [(number, *mark) for number, mark in sorted(marks.items())])


def note_weighed(
    connection: Connection, image_ids: Collection[int], *, anyway: bool = False
) -> None:
    """Have repositories swept that wait for the sizes of these images; anyway: all that
    have one of them, as it weighs something else now."""
    holding = select(repository_manifests.c.repository_id).where(
        among_ids(repository_manifests.c.manifest_id)
    )
    connection.execute(
        update(repository_summaries)
        .where(
            or_(_summary.over_waits, literal(anyway)),
            _summary.repository_id.in_(holding),
        )
        .values(limits_mark=UNSETTLED),
        {"ids": listed(sorted(image_ids))},
    )


def count_over_tags(connection: Connection, repository_id: int) -> int:
    """Counted anew, for whoever checks the read model."""
    found: int = connection.execute(
        select(func.count(_row.tag_id.distinct())).where(
            _row.repository_id == repository_id
        )
    ).scalar_one()
    return found


def _count(connection: Connection, repository_id: int, delta: int) -> None:
    parameters = {"repository": repository_id, "delta": delta}
    connection.execute(_COUNT, parameters)
