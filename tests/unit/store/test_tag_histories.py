"""Random histories of tags against a model that recounts everything each time."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from support.database import Engine, a_database
from support.images import OCI_INDEX, a_digest, a_layer, an_image, an_index_of
from support.of_one import close_crawl, open_crawl
from support.store_world import T0, World, a_result
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Child, Descriptor, Document, Index
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.models import (
    blobs,
    repository_manifests,
    tag_moves,
    tags,
)
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.tags.applying import (
    Move,
    apply_deleted,
    apply_failures,
    apply_moves,
)
from weighbridge.store.tags.tag_rows import TagFailure

# `test_summary_histories` has histories of tags on PostgreSQL.
pytestmark = [pytest.mark.slow, pytest.mark.long_on("postgresql")]

IMAGES: Final = [an_image([a_layer(n, 10 + n)]) for n in range(4)]


def nested(name: str, *children: Index) -> Index:
    """An index of indexes; it may list one twice."""
    entries = tuple(
        Child(Descriptor(OCI_INDEX, child.digest, child.manifest_bytes), "index")
        for child in children
    )
    return Index(a_digest(name), OCI_INDEX, 300, entries)


PAIR: Final = an_index_of(IMAGES[0], IMAGES[1])
OTHER: Final = an_index_of(IMAGES[1], IMAGES[2])
DEEP: Final = nested("deep", PAIR, OTHER, PAIR)
DEEPER: Final = nested("deeper", DEEP, OTHER)
TARGETS: Final[list[Document]] = [*IMAGES, PAIR, OTHER, DEEP, DEEPER]
LATE: Final = {IMAGES[2].digest, OTHER.digest}
"""Documents that cannot be read at first."""


@dataclass
class Model:
    """What must be true, worked out from scratch."""

    targets: dict[str, Digest | None] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    moves: dict[str, list[tuple[Digest, datetime, datetime | None]]] = field(
        default_factory=dict
    )
    known: set[Digest] = field(default_factory=set)

    def move(self, name: str, digest: Digest, now: datetime) -> None:
        if self.targets.get(name) != digest or name in self.gone:
            self.end(name, now)
            self.moves.setdefault(name, []).append((digest, now, None))
        self.targets[name] = digest
        self.gone.discard(name)
        self.failing.discard(name)

    def fail(self, name: str) -> None:
        if name in self.gone or name not in self.targets:
            self.targets[name] = None
        self.gone.discard(name)
        self.failing.add(name)

    def lose(self, name: str, now: datetime) -> None:
        if name in self.targets and name not in self.gone:
            self.end(name, now)
            self.gone.add(name)
            self.failing.discard(name)

    def end(self, name: str, now: datetime) -> None:
        entries = self.moves.get(name, [])
        if entries and entries[-1][2] is None:
            entries[-1] = (*entries[-1][:2], now)

    def counts(self) -> dict[Digest, tuple[int, int]]:
        tagged = Counter(
            target
            for name, target in self.targets.items()
            if target is not None and name not in self.gone
        )
        listed: Counter[Digest] = Counter()
        live, waiting = set(tagged), list(tagged)
        while waiting:
            for child in self.children(waiting.pop()):
                listed[child] += 1
                if child not in live:
                    live.add(child)
                    waiting.append(child)
        return {digest: (tagged[digest], listed[digest]) for digest in live}

    def children(self, digest: Digest) -> set[Digest]:
        document = next(d for d in TARGETS if d.digest == digest)
        if not isinstance(document, Index) or digest not in self.known:
            return set()
        return {child.descriptor.digest for child in document.children}

    def images(self) -> int:
        return sum(
            image.digest in self.known and image.digest in self.counts()
            for image in IMAGES
        )


NAMES: Final = st.sampled_from(["a", "b", "c", "d"])
STEPS: Final = st.lists(
    st.one_of(
        st.tuples(
            st.just("move"), st.dictionaries(NAMES, st.integers(0, len(TARGETS) - 1))
        ),
        st.tuples(st.just("fail"), st.lists(NAMES, unique=True)),
        st.tuples(st.just("gone"), st.lists(NAMES, unique=True)),
        st.tuples(st.just("roll_back"), st.lists(NAMES, unique=True)),
        st.tuples(st.just("arrive"), st.sampled_from(sorted(LATE))),
    ),
    max_size=12,
)


@given(steps=STEPS)
@settings(max_examples=30, deadline=None)
def test_any_history_counts_as_a_recount_does(
    engine: Engine, steps: list[tuple[str, object]]
) -> None:
    with TemporaryDirectory() as folder, a_database(Path(folder), engine) as database:
        world, model = World(database), Model()
        early = [d for d in TARGETS if d.digest not in LATE]
        world.keep(*early, missing=dict.fromkeys(LATE, "not_found"))
        model.known = {document.digest for document in early}
        world.now = T0
        for kind, what in steps:
            take_step(world, model, kind, what)
            assert found(world) == expected(model)
        with database.write() as connection:
            refresh_summary(connection, world.repository_id, world.now, [])
        assert world.report().tags_failed == len(model.failing)
        assert found(world) == expected(model)


def take_step(world: World, model: Model, kind: str, what: object) -> None:
    world.now += timedelta(minutes=1)
    with world.database.write() as connection:
        match kind, what:
            case "arrive", str(digest):
                document = next(d for d in TARGETS if d.digest == digest)
                keep_documents(connection, [document], {})
                model.known.add(document.digest)
                return
            case "roll_back", _:
                claim = world.claimed(connection)
                apply_deleted(connection, claim, ["a", "b"], world.now)
                connection.rollback()
                return
        claim = world.claimed(connection)
        opened = open_crawl(connection, claim, world.now).id
        match kind, what:
            case "move", dict(moves):
                chosen = {name: TARGETS[n].digest for name, n in moves.items()}
                apply_moves(
                    connection,
                    claim,
                    [Move(name, digest, None) for name, digest in chosen.items()],
                    world.now,
                )
                for name, digest in chosen.items():
                    model.move(name, digest, world.now)
            case "fail", list(names):
                failures = [TagFailure(name, "timeout", "10 s", None) for name in names]
                apply_failures(connection, claim, failures, world.now)
                for name in names:
                    model.fail(name)
            case "gone", list(names):
                apply_deleted(connection, claim, names, world.now)
                for name in names:
                    model.lose(name, world.now)
        close_crawl(connection, claim, opened, a_result(), world.now, world.now)


State = tuple[object, ...]


def expected(model: Model) -> State:
    live = {name for name in model.targets if name not in model.gone}
    return (
        model.counts(),
        {name: model.targets[name] for name in live},
        {name: entries for name, entries in model.moves.items() if entries},
        len(live),
        model.images(),
    )


def found(world: World) -> State:
    with world.database.read() as connection:
        counts = {
            row.digest: (row.tag_count, row.index_count)
            for row in connection.execute(
                select(blobs.c.digest, repository_manifests).join(
                    blobs, blobs.c.id == repository_manifests.c.manifest_id
                )
            )
        }
        live = {
            row.name: row.digest
            for row in connection.execute(
                select(tags.c.name, blobs.c.digest)
                .outerjoin(blobs, blobs.c.id == tags.c.target_id)
                .where(tags.c.deleted_at.is_(None))
            )
        }
        moves: dict[str, list[tuple[object, ...]]] = {}
        for row in connection.execute(
            select(
                tags.c.name,
                blobs.c.digest,
                tag_moves.c.seen_from,
                tag_moves.c.seen_until,
            )
            .join_from(tag_moves, tags, tags.c.id == tag_moves.c.tag_id)
            .join(blobs, blobs.c.id == tag_moves.c.target_id)
            .order_by(tag_moves.c.seen_from)
        ):
            moves.setdefault(row.name, []).append(
                (row.digest, row.seen_from, row.seen_until)
            )
    report = world.report()
    return counts, live, moves, report.tags, report.images
