"""A court whose repositories are looked at, and judged, several in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from support.court import DAY, Court
from support.of_one import close_crawl, open_crawl, refresh_if_stale
from support.store_world import a_result
from weighbridge.domain.image.document import Document
from weighbridge.engine.judge.judge import (
    end_first_crawls,
    judge_many,
    refresh_and_judge,
)
from weighbridge.engine.judge.judged_batch import sweep_many
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import Claim, claim
from weighbridge.store.models import (
    notification_groups,
    notifications,
    over_tags,
    repository_summaries,
    unjudged,
    violations,
)
from weighbridge.store.read_model.summaries import refresh_many
from weighbridge.store.session import Connection
from weighbridge.store.tags.applying import Move, apply_deleted, apply_moves
from weighbridge.store.tags.judged_tags import unjudged_repositories


@dataclass
class Crowd(Court):
    """A court whose looks are at several repositories in one transaction.

    is_together: they are judged together; else one after the other
    """

    is_together: bool = True
    claims: dict[int, Claim] = field(default_factory=dict)

    def look_at(
        self,
        moves: Mapping[str, Mapping[str, Document]],
        deleted: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """One whole crawl of each of these repositories."""
        self.now += DAY / 4
        lost = deleted or {}
        with self.database.write() as connection:
            for name in sorted({*moves, *lost}):
                self.move(
                    connection, self.ids[name], moves.get(name, {}), lost.get(name, ())
                )
            self.judge_all(connection)
            for number, taken in self.claims.items():
                opened = open_crawl(connection, taken, self.now).id
                close_crawl(connection, taken, opened, a_result(), self.now, self.now)
                assert number in self.ids.values()
        self.claims.clear()

    def move(
        self,
        connection: Connection,
        repository_id: int,
        moves: Mapping[str, Document],
        deleted: Sequence[str],
    ) -> None:
        """Claim a repository and move its tags; judging is still to come."""
        taken = claim(connection, repository_id, now=self.now, lease_s=60)
        assert taken is not None
        self.claims[repository_id] = taken
        keep_documents(connection, list(moves.values()), {})
        pointed = [Move(name, d.digest, None) for name, d in moves.items()]
        apply_moves(connection, taken, pointed, self.now)
        apply_deleted(connection, taken, deleted, self.now)

    def judge_all(self, connection: Connection) -> None:
        """Whatever was moved in this transaction."""
        known = sorted(n for n, taken in self.claims.items() if taken.crawl_number)
        new = sorted(self.claims.keys() - set(known))
        now, judging = self.now, self.judging
        if self.is_together:
            refresh_and_judge(connection, known, now, judging)
            refresh_many(connection, new, now, judging.platforms)
            end_first_crawls(connection, new, now, judging)
            return
        for number in known:
            refresh_and_judge(connection, [number], now, judging)
        for number in new:
            refresh_if_stale(connection, number, now, judging.platforms)
            end_first_crawls(connection, [number], now, judging)

    def sweep(self, repository_ids: Sequence[int]) -> None:
        """Mark all tags of these repositories."""
        if not self.is_together:
            super().sweep(repository_ids)
            return
        with self.database.write() as connection:
            sweep_many(connection, repository_ids, self.now, self.judging)

    def judge_waiting(self) -> None:
        """All that waits to be judged, in every repository."""
        with self.database.read() as connection:
            waiting = list(unjudged_repositories(connection, self.registry_id))
        if self.is_together:
            with self.database.write() as connection:
                judge_many(connection, waiting, self.now, self.judging)
        else:
            names = {number: name for name, number in self.ids.items()}
            for number in waiting:
                self.judge(names[number])

    def wrote(self) -> dict[str, list[tuple[object, ...]]]:
        """All rows that judging writes."""
        with self.database.read() as connection:
            return {
                table.name: [
                    tuple(row)
                    for row in connection.execute(
                        select(table).order_by(*table.primary_key)
                    )
                ]
                for table in (
                    violations,
                    unjudged,
                    over_tags,
                    notification_groups,
                    notifications,
                    repository_summaries,
                )
            }
