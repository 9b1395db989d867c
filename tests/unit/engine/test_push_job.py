"""The job PUSH: what is checked when, and what is enqueued again."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from support.push_stage import APP, MINUTE, ONE, a_stage
from support.push_world import a_push, receive
from support.store_world import T0
from support.wait import PATIENCE_S, wait_until
from weighbridge.engine.schedule.tick_job import show_waiting
from weighbridge.errors import ConfigError
from weighbridge.ports.job_names import CRAWL, DELIVER, PUSH
from weighbridge.store.models import pushes, repositories


async def test_a_check_leads_to_messages_and_numbers(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.may_answer.set()
        stage.tell()
        await stage.handle()

        assert stage.outcomes == ["new"]
        assert stage.jobs.of(DELIVER) != []
        # Nobody has ever looked at the rest of it.
        assert stage.jobs.of(CRAWL) == [APP]
        audits = stage.telemetry.registry.get_sample_value(
            "weighbridge_push_audits_total", {"registry": "hub", "verdict": "pass"}
        )
        assert audits == 1


async def test_a_job_does_not_wait_for_a_registry_that_is_slow(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        stage.tell()
        await stage.handle()  # Returns, though nothing was answered.
        assert stage.outcomes == ["..."]

        stage.registry.may_answer.set()
        await wait_until(lambda: stage.outcomes == ["new"], "the look goes on")


async def test_what_comes_during_a_check_is_checked_after_it(
    tmp_path: Path,
) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.put("acme/app", "1.1", ONE)
        stage.tell()
        await stage.handle()
        stage.tell(tag="1.1")
        await stage.handle()
        stage.registry.may_answer.set()

        await wait_until(lambda: stage.outcomes == ["new", "new"], "both are looked at")


async def test_a_repository_in_other_hands_is_enqueued_within_a_moment(
    tmp_path: Path,
) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.may_answer.set()
        stage.tell()
        await stage.handle()
        with stage.database.write() as connection:
            values = {"lease_until": T0 + MINUTE, "lease_owner": "elsewhere"}
            connection.execute(update(repositories).values(values))
        stage.tell()
        await stage.handle()

        await wait_until(lambda: stage.jobs.of(PUSH) == [APP], "it is asked for again")
        assert stage.outcomes == ["new", "..."]


async def test_what_is_put_off_is_not_rung_for_though_others_have_its_repository(
    tmp_path: Path,
) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.may_answer.set()
        stage.registry.put("acme/web", "1.0", ONE)
        for name in ("acme/app", "acme/web"):
            stage.tell(name)
            await stage.handle(f"hub/{name}")
            stage.tell(name)
        with stage.database.write() as connection:
            values = {"lease_until": T0 + MINUTE, "lease_owner": "elsewhere"}
            connection.execute(update(repositories).values(values))
            is_app = pushes.c.repository == "acme/app"
            later = {"due_at": T0 + 60 * MINUTE}
            connection.execute(update(pushes).where(is_app).values(later))
        await stage.handle(APP)
        await stage.handle("hub/acme/web")

        await wait_until(lambda: stage.jobs.of(PUSH) != [], "one is asked for again")
        assert stage.jobs.of(PUSH) == ["hub/acme/web"]


async def test_f36_what_a_process_left_is_looked_at_by_the_next(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        stage.tell()
        await stage.handle()
        await stage.looks.aclose()

        assert stage.outcomes == ["..."]
        assert stage.tick() == [APP]


async def test_a_push_that_was_put_off_is_not_asked_for_before(tmp_path: Path) -> None:
    fault = ConfigError("no password", code="secret_file")
    async with a_stage(tmp_path, fault) as stage:
        stage.tell()
        stage.registry.may_answer.set()
        with pytest.raises(ConfigError):
            await stage.handle()

        assert stage.tick() == []
        assert stage.tick(T0 + timedelta(seconds=2)) == [APP]


async def test_broker_003_what_is_not_configured_any_more_is_not_asked_for(
    tmp_path: Path,
) -> None:
    async with a_stage(tmp_path) as stage:
        receive(stage.database, T0, a_push("1.0"), registry="evil")

        assert stage.tick() == []
        assert stage.outcomes == ["unknown_registry"]


async def test_a_crawl_answers_a_push_that_names_nothing(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.may_answer.set()
        stage.tell()
        await stage.handle()
        stage.registry.put("acme/app", "2.0", ONE)
        event = a_push(None, is_delete=True)
        receive(stage.database, T0, event, registry="hub")
        await stage.handle()
        assert stage.outcomes == ["new", "..."]

        await stage.engine.handlers[CRAWL](APP)

        assert stage.outcomes == ["new", "looked"]
        assert stage.registry.asked["get_manifest", "2.0"] == 1


async def test_what_a_look_measures_keeps_nobody_waiting(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        stage.registry.may_answer.set()
        stage.registry.may_measure.clear()
        stage.tell()
        # Well before the time that a job waits for a verdict.
        async with asyncio.timeout(PATIENCE_S / 2):
            await stage.handle()

        assert stage.outcomes == ["new"]
        assert stage.jobs.of(DELIVER) != []
        stage.registry.may_measure.set()


async def test_what_waits_is_shown(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        stage.tell()
        stage.tell(tag="1.1")
        show_waiting(stage.database, stage.telemetry, T0)

        assert stage.number("weighbridge_pushes_waiting") == 2
        oldest = stage.number("weighbridge_pushes_oldest_timestamp_seconds")
        assert oldest == T0.timestamp()
