"""What a crawl's store calls do to a real database when they share transactions."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text, update

from support.database import Engine, a_database
from support.store_world import T0, an_entry
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StaleFence, StoreError
from weighbridge.store.leases.claiming import Claim, claim, hold
from weighbridge.store.models import repositories
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database

NAMES = [f"acme/app-{n}" for n in range(5)]


@pytest.fixture
def database(tmp_path: Path, engine: Engine) -> Iterator[Database]:
    with a_database(tmp_path, engine) as opened:
        yield opened


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    made = Writer(database, patience_s=0.0)
    yield made
    made.close()


@pytest.fixture
def claims(database: Database) -> list[Claim]:
    """Of five repositories."""
    with database.write() as connection:
        registry = put_registry(connection, an_entry(), T0)
        ids = put_repositories(connection, registry, NAMES, T0)
        taken = [claim(connection, i, now=T0, lease_s=60) for i in ids.values()]
    return [one for one in taken if one is not None]


def rename_many(
    connection: Connection, items: Sequence[tuple[Claim, str]]
) -> list[StaleFence | None]:
    """Each repository's reason; who is not ours any more drops out."""
    found: dict[int, StaleFence | None] = {}
    for held, reason in sorted(items, key=lambda item: item[0].repository_id):
        found[held.repository_id] = None
        try:
            hold(connection, held, T0)
        except StaleFence as exc:
            found[held.repository_id] = exc
        else:
            note_reason(connection, held.repository_id, reason)
    return [found[held.repository_id] for held, _ in items]


def note_reason(connection: Connection, repository_id: int, reason: str | None) -> None:
    connection.execute(
        update(repositories)
        .where(repositories.c.id == repository_id)
        .values(state_reason=reason)
    )


def reasons(database: Database) -> list[str]:
    with database.read() as connection:
        return list(
            connection.execute(
                select(repositories.c.state_reason).order_by(repositories.c.id)
            ).scalars()
        )


async def test_a_fence_that_moved_drops_out_of_its_batch_alone(
    database: Database, writer: Writer, claims: list[Claim]
) -> None:
    with database.write() as connection:
        claim(
            connection,
            claims[2].repository_id,
            now=T0 + timedelta(days=1),
            lease_s=60,
        )

    answers = await asyncio.gather(
        *(writer.write_many(rename_many, (held, "seen")) for held in claims),
        return_exceptions=True,
    )

    assert [type(answer) for answer in answers] == [
        *(type(None), type(None), StaleFence),
        *(type(None), type(None)),
    ]
    assert reasons(database) == ["seen", "seen", "", "seen", "seen"]


async def test_data_that_breaks_a_rule_is_not_kept_and_all_else_is(
    database: Database, writer: Writer, claims: list[Claim]
) -> None:
    words = ["seen", "seen", None, "seen", "seen"]

    answers = await asyncio.gather(
        *(
            writer.write(note_reason, held.repository_id, word)
            for held, word in zip(claims, words, strict=True)
        ),
        return_exceptions=True,
    )

    assert [getattr(answer, "code", None) for answer in answers] == [
        *(None, None, "store_error"),
        *(None, None),
    ]
    assert reasons(database) == ["seen", "seen", "", "seen", "seen"]


async def test_a_read_that_cannot_be_made_leaves_the_others_their_answers(
    writer: Writer,
) -> None:
    def answer(connection: Connection, what: str) -> int:
        found: int = connection.execute(text(f"SELECT {what}")).scalar_one()
        return found

    answers = await asyncio.gather(
        *(writer.read(answer, what) for what in ("1", "nothing", "2")),
        return_exceptions=True,
    )

    assert answers[::2] == [1, 2]
    assert isinstance(answers[1], StoreError)


async def test_what_one_call_wrote_the_next_one_reads(
    database: Database, writer: Writer, claims: list[Claim]
) -> None:
    repository_id = claims[0].repository_id

    def append(connection: Connection, letter: str) -> None:
        had = connection.execute(
            select(repositories.c.state_reason).where(
                repositories.c.id == repository_id
            )
        ).scalar_one()
        note_reason(connection, repository_id, had + letter)

    await asyncio.gather(*(writer.write(append, letter) for letter in "weighbridge"))

    assert reasons(database)[0] == "weighbridge"
