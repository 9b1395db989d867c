"""Rows of `base_readings`, and what is known of the tags of such a repository: how far
the repositories are read that are named for their bases alone."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, select

from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.reference import parse_reference
from weighbridge.errors import InvalidReference
from weighbridge.store.bases.base_names import (
    BaseBuild,
    WrittenRepository,
    note_names,
)
from weighbridge.store.dialect import BulkInsert, BulkUpsert
from weighbridge.store.models import base_names, base_readings, image_bases
from weighbridge.store.models.types import UTF8

_name = base_names.c
_reading = base_readings.c
_OF_PLACE: Final = (
    _name.host == bindparam("host", type_=UTF8),
    _name.repository == bindparam("repository", type_=UTF8),
)
_LEADING: Final = select(_name.tag, _name.digest, _name.index_digest).where(
    *_OF_PLACE, _name.left_at.is_(None)
)
_IN_USE: Final = (
    select(_name.tag)
    .where(
        *_OF_PLACE,
        exists().where(image_bases.c.base_chain_id == _name.base_chain_id),
    )
    .distinct()
)
_ANNOTATED: Final = (
    select(image_bases.c.reference)
    .where(image_bases.c.base_chain_id.is_(None), image_bases.c.reference.is_not(None))
    .distinct()
    .limit(bindparam("most"))
)
_MOST_ANNOTATED: Final = 10_000
_ROWS: Final = select(base_readings)
_PUT: Final = BulkUpsert(
    base_readings,
    key=("host", "repository"),
    values=(
        "registry",
        "tags_wanted",
        "tags_read",
        "code",
        "reason",
        "failing_since",
        "tried_at",
        "read_at",
    ),
)
_PLANNED: Final = BulkInsert(
    base_readings, "host", "repository", "registry", "tags_read", "code", "reason"
)
_REASON_CHARACTERS: Final = 500


class BaseReading(Struct, frozen=True):
    """What one look at a base's repository came to.

    registry:     the entry that was asked
    code, reason: what kept it from its end, "" for nothing
    tags_wanted:  how many are worth reading; None: they could not be listed
    tags_read:    of these, how many are known
    """

    registry: str
    code: str = ""
    reason: str = ""
    tags_wanted: int | None = None
    tags_read: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to be read now."""
        return not self.code and self.tags_wanted == self.tags_read


class KnownTags(Struct, frozen=True):
    """What is known of a base's repository.

    leads_to: by tag, the digests of what it leads to: index and images
    in_use:   tags that something stands on, or names as its base
    """

    leads_to: Mapping[str, frozenset[Digest]]
    in_use: frozenset[str]


def plan_readings(
    connection: Connection, bases: Mapping[str, Collection[BasePlace]], *, is_all: bool
) -> None:
    """Have a row for each of these, so that it can be told how many there are. Nothing
    is written where nothing changed.

    bases:  by registry
    is_all: there are no others: what is named no more is read no more. What its images
            were called is kept
    """
    planned = {
        (base.host, base.repository): registry
        for registry, some in bases.items()
        for base in some
    }
    rows = {(r.host, r.repository): r.registry for r in connection.execute(_ROWS)}
    new = sorted(key for key in planned if key not in rows)
    _PLANNED.add(connection, [(*key, planned[key], 0, "", "") for key in new])
    for key in sorted(rows.keys() - planned.keys()) if is_all else ():
        connection.execute(delete(base_readings).where(*_is(key)))


def _is(key: tuple[str, str]) -> tuple[ColumnElement[bool], ...]:
    return _reading.host == key[0], _reading.repository == key[1]


def due_readings(
    connection: Connection,
    bases: Collection[BasePlace],
    every: timedelta,
    again: timedelta,
    now: datetime,
) -> list[BasePlace]:
    """Those that were never looked at, then the one whose last look is longest ago, and
    so on.

    every: so long after it was read to its end one is read again
    again: the same where it could not be read
    """
    rows = {(r.host, r.repository): r for r in connection.execute(_ROWS)}
    due: list[tuple[float, BasePlace]] = []
    for base in bases:
        row = rows.get((base.host, base.repository))
        if row is None or row.tried_at is None:
            due.append((0.0, base))
            continue
        rests = again if row.code else every
        rested_since = row.tried_at if row.code else row.read_at
        if rested_since is None or now - rested_since >= rests:
            due.append((row.tried_at.timestamp(), base))
    return [base for _, base in sorted(due)]


def known_tags_of_base(connection: Connection, base: BasePlace) -> KnownTags:
    """What there is of it by now."""
    place = {"host": base.host, "repository": base.repository}
    leads_to: dict[str, set[Digest]] = {}
    for tag, digest, index in connection.execute(_LEADING, place):
        leads_to.setdefault(tag, set()).update(filter(None, (digest, index)))
    in_use = set(connection.execute(_IN_USE, place).scalars())
    parameters = {"most": _MOST_ANNOTATED}
    for text in connection.execute(_ANNOTATED, parameters).scalars():
        in_use |= _tag_of(text, base)
    frozen = {tag: frozenset(digests) for tag, digests in leads_to.items()}
    return KnownTags(frozen, frozenset(in_use))


def _tag_of(text: str, base: BasePlace) -> set[str]:
    """The tag of this base that an annotation names, if it does."""
    try:
        found = parse_reference(text)
    except InvalidReference:
        return set()
    is_it = (found.registry, found.repository) == (base.host, base.repository)
    return {found.tag} if is_it and found.tag is not None else set()


def note_base_tags(
    connection: Connection,
    base: BasePlace,
    tags: Mapping[str, Sequence[BaseBuild]],
    now: datetime,
) -> None:
    """Keep where tags lead from now on; to nothing where they are gone, or lead to what
    nobody wants to know."""
    place = WrittenRepository(base.host, base.repository)
    note_names(connection, {place: tags}, now)


def note_reading(
    connection: Connection, base: BasePlace, reading: BaseReading, now: datetime
) -> bool:
    """Keep how far a repository was read. Where its tags could not be listed, what was
    known of them before stays. Returns whether something keeps it from its end that did
    not before."""
    where = _is((base.host, base.repository))
    before = connection.execute(_ROWS.where(*where)).one_or_none()
    wanted, read = reading.tags_wanted, reading.tags_read
    if wanted is None and before is not None:
        wanted, read = before.tags_wanted, before.tags_read
    since = before.failing_since if before is not None and reading.code else None
    read_at = None if before is None else before.read_at
    row = (
        base.host,
        base.repository,
        reading.registry,
        wanted,
        read,
        reading.code,
        reading.reason[:_REASON_CHARACTERS],
        (since or now) if reading.code else None,
        now,
        now if reading.is_whole else read_at,
    )
    _PUT.add(connection, [row])
    return bool(reading.code) and since is None
