"""The compressed sizes of newest images: how many are above a limit, and whose."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    case,
    func,
    literal,
    or_,
    select,
)

from weighbridge.domain.policy.simulation import NewestSize, Span
from weighbridge.store.models import registries, repositories, repository_summaries
from weighbridge.store.reports.inventory import PIECE, is_shown, name_fits

_repository = repositories.c
_size = repository_summaries.c.newest_compressed_bytes


class SizeCounts(Struct, frozen=True):
    """Of the repositories that are not gone, in registries that are configured.

    known:    how many have a newest image whose size is known
    heaviest: the largest of these sizes, None where none is known
    above:    how many are heavier than each limit
    """

    repositories: int
    known: int
    heaviest: int | None
    above: Mapping[int, int]

    @property
    def unknown(self) -> int:
        """How many have no newest image, or one whose size is not known."""
        return self.repositories - self.known


def counts_above(
    connection: Connection, limits: Iterable[int] = (), registry: str | None = None
) -> SizeCounts:
    """All of it in one walk. registry: of this one only."""
    above = {
        limit: func.count(case((_size > limit, 1))).label(f"above_{number}")
        for number, limit in enumerate(limits)
    }
    statement = select(
        func.count().label("repositories"),
        func.count(_size).label("known"),
        func.max(_size).label("heaviest"),
        *above.values(),
    )
    row = connection.execute(_of(statement, registry)).one()
    return SizeCounts(
        repositories=row.repositories,
        known=row.known,
        heaviest=row.heaviest,
        above={limit: row._mapping[count.name] for limit, count in above.items()},
    )


def size_at_rank(
    connection: Connection, rank: int, registry: str | None = None
) -> int | None:
    """The size of the newest image that so many are before, the heaviest first."""
    statement = (
        _of(select(_size.label("size")), registry)
        .where(_size.is_not(None))
        .order_by(_size.desc())
        .offset(rank)
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else row.size


def newest_sizes(
    connection: Connection,
    within: Sequence[Span],
    registry: str | None = None,
    patterns: Collection[str] = (),
) -> Iterator[NewestSize]:
    """Every newest image whose size is in one of the spans.

    patterns: only of repositories whose name fits one of these; empty: of all
    """
    statement = (
        _of(
            select(
                registries.c.name,
                _repository.name,
                func.coalesce(repository_summaries.c.newest_tag, ""),
                _size,
            ),
            registry,
        )
        .join(registries, registries.c.id == _repository.registry_id)
        .where(or_(literal(False), *(_size.between(*span) for span in within)))
        .execution_options(yield_per=PIECE)
    )
    if patterns:
        statement = statement.where(or_(*map(name_fits, sorted(patterns))))
    with connection.execute(statement) as result:
        for row in result:
            yield NewestSize._make(row)


def _of(
    selected: Select[*tuple[object, ...]], registry: str | None
) -> Select[*tuple[object, ...]]:
    """From the newest images, of one registry or of all."""
    statement = (
        selected.select_from(repositories)
        .join(
            repository_summaries,
            repository_summaries.c.repository_id == _repository.id,
        )
        .where(*is_shown())
    )
    return statement if registry is None else statement.where(_is_in(registry))


def _is_in(registry: str) -> ColumnElement[bool]:
    chosen = select(registries.c.id).where(registries.c.name == registry)
    # `+ 0`: a scan is faster than the index of names, see `registries`.
    return (_repository.registry_id + 0) == chosen.scalar_subquery()
