"""Rows of `over_tags`: tags that stand over a limit of theirs, newest or not.

A row is written with the verdict of whoever moved the tag, and goes with the tag; so
the repository's count is kept by what changes, and no list reads every tag. Where
policies change, or sizes become known later, a repository is swept (`audit/sweeping`).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    delete,
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
    Rows,
    among_ids,
    given_ids,
    listed,
    probe,
)
from weighbridge.store.models import (
    over_tags,
    repository_manifests,
    repository_summaries,
    tags,
)
from weighbridge.store.tags.unjudged import UnjudgedTag

UNSETTLED: Final = "?"
"""No mark of any limits: the repository is to be swept."""
PAGE: Final = 1_000
"""Tags that are swept in one transaction."""

_row = over_tags.c
_summary = repository_summaries.c
_tag = tags.c
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
_LIVE: Final = select(
    _tag.id, _tag.name, _tag.target_id, _tag.moved_at, _tag.pushed_at
).where(_tag.deleted_at.is_(None), _tag.target_id.is_not(None))
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


def forget_over_tags(connection: Connection, repository_id: int) -> None:
    """Remove all rows of a repository."""
    connection.execute(delete(over_tags).where(_row.repository_id == repository_id))


def tags_to_sweep(
    connection: Connection, repository_id: int, after: str
) -> list[UnjudgedTag]:
    """The next live tags by name, at most `PAGE`; after: a name, "" for the first."""
    parameters = {"repository": repository_id, "after": after}
    return [UnjudgedTag(*row) for row in connection.execute(_PAGE, parameters)]


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
