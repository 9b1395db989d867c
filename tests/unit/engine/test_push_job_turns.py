"""The job PUSH: whose turn it is, of one registry and of one repository."""

import asyncio
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from support.push_stage import APP, ONE, a_stage
from support.store_world import T0
from support.wait import wait_until
from weighbridge.engine.push.push_job import OF_A_REGISTRY
from weighbridge.ports.job_names import PUSH
from weighbridge.store.models import pushes


async def test_one_registry_does_not_take_all_places(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        names = [f"acme/app{number}" for number in range(OF_A_REGISTRY + 3)]
        for name in names:
            stage.registry.put(name, "1.0", ONE)
            stage.tell(name)
        await asyncio.gather(*(stage.handle(f"hub/{name}") for name in names))

        def begun() -> int:
            return sum(key[0] == "begun" for key in stage.registry.asked)

        await wait_until(lambda: begun() >= OF_A_REGISTRY, "all places are taken")
        assert begun() == OF_A_REGISTRY

        # The others have their turn as soon as there is room, and nobody enqueues it.
        stage.registry.may_answer.set()
        await wait_until(
            lambda: "..." not in stage.outcomes, "all of them are looked at"
        )
        assert len(stage.outcomes) == OF_A_REGISTRY + 3
        assert stage.jobs.of(PUSH) == []


async def test_who_is_in_line_twice_is_checked_once(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        names = [f"acme/app{number}" for number in range(OF_A_REGISTRY + 1)]
        for name in names:
            stage.registry.put(name, "1.0", ONE)
            stage.tell(name)
        for name in (*names, names[-1]):
            await stage.handle(f"hub/{name}")
        stage.registry.may_answer.set()
        await wait_until(lambda: "..." not in stage.outcomes, "all are looked at")

        assert stage.registry.asked["begun", names[-1]] == 1


async def test_a_push_that_is_due_soon_does_not_wait_for_one_that_is_due_later(
    tmp_path: Path,
) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.may_answer.set()
        stage.tell()
        with stage.database.write() as connection:
            later = T0 + timedelta(seconds=30)
            connection.execute(update(pushes).values(due_at=later))
        await stage.handle()  # Waits for that.

        # The registry tells of a tag that it does not show yet.
        stage.tell(tag="2.0")
        await stage.handle()
        await wait_until(lambda: stage.jobs.of(PUSH) == [APP], "it is enqueued")
