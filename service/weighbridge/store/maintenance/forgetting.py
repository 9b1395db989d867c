"""Forgetting a registry or one of its repositories, history and all.

First everything is let go of as a crawl would (its tags are gone), so that all totals
are right at any moment; then the rows are deleted. What documents said of digests is
nobody's own: `pruning` removes what nothing refers to.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import (
    Connection,
    delete,
    exists,
    func,
    or_,
    select,
)

from weighbridge.errors import StoreError
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.crawls.crawl_requests import is_waited_for
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.leases.claiming import Claim, claim, hold
from weighbridge.store.leases.jobs import (
    Job,
    JobClaim,
    claim_job,
    end_job,
    make_due,
    renew_job,
)
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.models import (
    OF_SCOPE,
    base_repositories,
    blob_changes,
    crawl_chunks,
    crawl_requests,
    crawls,
    jobs,
    over_tags,
    registries,
    repositories,
    repository_summaries,
    scope_blobs,
    storage_scopes,
    tag_moves,
    tag_pulls,
    tags,
    unjudged,
)
from weighbridge.store.registries.registry_rows import find_registry_id, forget_held
from weighbridge.store.registries.repository_rows import delete_tags
from weighbridge.store.session import Database
from weighbridge.store.traffic.pull_counts import forget_pulls
from weighbridge.store.violations.violation_rows import forget_violations

_LEASE_S: Final = 300.0
_PIECE: Final = 2_000
_repository = repositories.c
# Rows that are removed piece by piece: what names them goes first.
_MANY: Final = (
    (tags, tag_moves.c.tag_id, tag_pulls.c.tag_id, tags.c.id),
    (crawls, crawl_chunks.c.crawl_id, crawls.c.id),
)


class Forgettable(Struct, frozen=True):
    """What is to be forgotten: a registry, or one repository of it.

    repositories: id and name of each, deleted ones too
    tags:         of these that are not gone
    """

    registry_id: int
    registry: str
    repository: str | None
    repositories: tuple[tuple[int, str], ...]
    tags: int

    @property
    def name(self) -> str:
        if self.repository is None:
            return self.registry
        return f"{self.registry}/{self.repository}"


def find_known(
    connection: Connection, registry: str, repository: str | None
) -> Forgettable | None:
    """What is known under a name; None where that is nothing."""
    registry_id = find_registry_id(connection, registry)
    if registry_id is None:
        return None
    summary = repository_summaries.c
    statement = (
        select(_repository.id, _repository.name, func.coalesce(summary.tag_count, 0))
        .outerjoin_from(
            repositories,
            repository_summaries,
            summary.repository_id == _repository.id,
        )
        .where(_repository.registry_id == registry_id)
        .order_by(_repository.name)
    )
    if repository is not None:
        statement = statement.where(_repository.name == repository)
    rows = connection.execute(statement).all()
    if repository is not None and not rows:
        return None
    return Forgettable(
        registry_id,
        registry,
        repository,
        tuple((row[0], row[1]) for row in rows),
        sum(row[2] for row in rows),
    )


@unhurried()
def forget(
    database: Database,
    known: Forgettable,
    clock: Callable[[], datetime],
    *,
    owner: str,
    listing: str,
    watch: Callable[[str, int, int], None],
) -> None:
    """Remove all that is known of a registry or of a repository.

    owner:   this process, see `validity.one_claim`
    listing: the job that finds out which repositories a registry has

    Raises StoreError(busy) while a crawl
        works there; what was forgotten before that stays so, and the same call goes
        on with the rest.
    """
    job = Job(listing, known.registry)
    forgetting = _Forgetting(database, known, clock, owner, job)
    if known.repository is not None:
        forgetting.repositories(watch)
        return
    forgetting.begin()
    try:
        forgetting.repositories(watch)
        with database.write() as connection:
            _forget_registry(connection, known)
    finally:
        forgetting.end()


def _busy(name: str) -> StoreError:
    return StoreError(
        f"a crawl works on {name} now",
        code="busy",
        retryable=True,
        hint="stop it, or wait for its end",
    )


class _Forgetting(Struct):
    database: Database
    known: Forgettable
    clock: Callable[[], datetime]
    owner: str
    listing: Job
    held: JobClaim | None = None

    def begin(self) -> None:
        """Be to others whoever lists the registry, so that nobody adds to it."""
        now = self.clock()
        with self.database.write() as connection:
            make_due(connection, self.listing, now)
            self.held = claim_job(
                connection,
                self.listing,
                now=now,
                next_at=now,
                lease_s=_LEASE_S,
                owner=self.owner,
            )
            is_awaited = is_waited_for(connection, self.known.registry_id, now)
            if self.held is None or is_awaited:
                raise _busy(self.known.registry)

    def end(self) -> None:
        if self.held is not None:
            with self.database.write() as connection:
                end_job(connection, self.held, self.clock())

    def repositories(self, watch: Callable[[str, int, int], None]) -> None:
        known = self.known.repositories
        for done, (repository_id, name) in enumerate(known):
            watch("repositories", done, len(known))
            taken = self._claim(repository_id, name)
            if taken is not None:
                self._forget(taken)

    def _claim(self, repository_id: int, name: str) -> Claim | None:
        with self.database.write() as connection:
            now = self.clock()
            if self.held is not None:
                renew_job(connection, self.held, now)
            taken = claim(
                connection, repository_id, now=now, lease_s=_LEASE_S, owner=self.owner
            )
            is_there = select(_repository.id).where(_repository.id == repository_id)
            if taken is None and connection.execute(is_there).first():
                raise _busy(f"{self.known.registry}/{name}")
            return taken

    def _forget(self, taken: Claim) -> None:
        number = taken.repository_id
        after: str | None = ""
        while after is not None:
            with self.database.write() as connection:
                after = delete_tags(connection, taken, self.clock(), after)
        settle_all(self.database)
        for table, *named in _MANY:
            piece = select(table.c.id).where(table.c.repository_id == number)
            count = _PIECE
            while count == _PIECE:
                with self.database.write() as connection:
                    hold(connection, taken, self.clock())
                    ids = list(connection.execute(piece.limit(_PIECE)).scalars())
                    for column in named:
                        connection.execute(
                            delete(column.table).where(among_ids(column)),
                            {"ids": listed(ids)},
                        )
                count = len(ids)
        with self.database.write() as connection:
            hold(connection, taken, self.clock())
            # What its images were called stays: others stand on them.
            for table in (unjudged, over_tags, base_repositories):
                connection.execute(delete(table).where(table.c.repository_id == number))
            forget_violations(connection, number)
            forget_pulls(connection, number)
            summary = repository_summaries.c.repository_id
            connection.execute(delete(repository_summaries).where(summary == number))
            connection.execute(delete(repositories).where(_repository.id == number))
            forget_held(connection, self.known.registry_id, number)
            _drop_scope_if_empty(connection, taken.scope_id)


def _drop_scope_if_empty(connection: Connection, scope_id: int) -> None:
    """A scope goes with its last repository; what waits for the settler keeps it."""
    scope = storage_scopes.c.id
    removed = connection.execute(
        delete(storage_scopes).where(
            scope == scope_id,
            ~or_(
                exists().where(_repository.scope_id == scope),
                exists().where(scope_blobs.c.scope_id == scope),
                exists().where(blob_changes.c.scope_id == scope),
            ),
        )
    )
    if removed.rowcount:
        for table in OF_SCOPE:
            connection.execute(delete(table).where(table.c.scope_id == scope_id))


def _forget_registry(connection: Connection, known: Forgettable) -> None:
    """The registry's own row, and when its jobs are due, unless somebody has found a
    repository meanwhile."""
    of_registry = storage_scopes.c.registry_id == known.registry_id
    # Locks the row: who adds a repository waits, and then finds no registry.
    connection.execute(
        select(registries.c.id)
        .where(registries.c.id == known.registry_id)
        .with_for_update()
    )
    if connection.execute(
        select(_repository.id)
        .where(_repository.registry_id == known.registry_id)
        .limit(1)
    ).scalar():
        raise _busy(known.registry)
    scopes = select(storage_scopes.c.id).where(of_registry)
    for table in (blob_changes, scope_blobs, *OF_SCOPE):
        connection.execute(delete(table).where(table.c.scope_id.in_(scopes)))
    connection.execute(delete(storage_scopes).where(of_registry))
    # All jobs that have an argument are about the registry of that name.
    connection.execute(delete(jobs).where(jobs.c.argument == known.registry))
    asked = crawl_requests.c.registry_id == known.registry_id
    connection.execute(delete(crawl_requests).where(asked))
    connection.execute(delete(registries).where(registries.c.id == known.registry_id))
