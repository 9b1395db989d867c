"""What it costs to hand over a job and to keep to shared limits, with nothing to do."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Final

from load.bench.comparison import Comparison
from load.bench.many_workers import workers
from load.bench.measured import measured, module
from load.bench.postgresql import Fresh, fresh_databases
from load.bench.results import Result, Tally
from load.bench.scene import Scene, say
from support.paced_processes import processes
from support.redis_server import RedisServer, a_redis
from support.wait import wait_in_thread
from weighbridge.config.settings import Pace
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.jobs.redis.worker_register import TAKEN, WorkerRegister
from weighbridge.ports.job_names import CRAWL
from weighbridge.registry.pacing.rate_limiter import Rank

JOBS: Final = 1_000
REQUESTS: Final = 20_000
HANDS: Final = 8
_RATE: Final = 4_000.0
_JOB, _REQUEST = "a job that finds nothing due", "a request's turn"
_CPU: Final = "ms of CPU"
_ABOUT: Final = f"""\
A worker is sent {JOBS:,} jobs `crawl`, each of a registry of which nothing is due: what
a job costs is then the message, Celery, and the one statement that finds nothing. The
CPU is that of the worker's processes, without that of Redis and PostgreSQL.

A request's turn is what a process pays to keep to limits that it shares over Redis:
{REQUESTS:,} turns of {HANDS} tasks at once, with a limit of {_RATE:,.0f} requests a
second, in a process that asks nothing. Redis is asked in advance, for some requests at
once."""


def run(scene: Scene) -> Result:
    """Rounds of jobs and of turns."""
    tally, folder = Tally(), scene.work_folder("overhead")
    with fresh_databases() as fresh:
        for number in range(scene.options.rounds):
            say(f"overhead: round {number + 1}")
            tally.note(_JOB, _CPU, 1000 * _jobs_s(folder, fresh) / JOBS)
            done = measured(module("overhead", "turns"), folder)
            tally.note(_REQUEST, _CPU, 1000 * float(done.output) / REQUESTS)
    figures = (
        tally.figure(_JOB, _CPU, sense="<=", target=5.0),
        tally.figure(_REQUEST, _CPU, sense="<=", target=0.4),
    )
    return Result("overhead", scene.options.rounds, figures)


def _jobs_s(folder: Path, fresh: Fresh) -> float:
    """CPU seconds of a worker for all jobs."""
    names = [f"registry-{number}" for number in range(JOBS)]
    with fresh() as url, a_redis() as redis:
        config = folder / "weighbridge.yaml"
        configured = {
            "database_url": url,
            "redis_url": redis.url.reveal(),
            "registries": [
                {"name": name, "url": f"http://127.0.0.1:{port}"}
                for port, name in enumerate(names, 10_000)
            ],
        }
        config.write_text(json.dumps(configured))  # JSON is YAML.
        with workers(folder, redis, url, config) as crew:
            _send_and_wait(redis, names)  # What is done only once is not counted.
            before = crew.cpu_s
            _send_and_wait(redis, names)
            return crew.cpu_s - before


def _send_and_wait(redis: RedisServer, names: list[str]) -> None:
    jobs, roll = CeleryJobs(redis.url), WorkerRegister(redis.url)
    try:
        done = _done(roll)
        for name in names:
            jobs.put(CRAWL, name)
        wait_in_thread(lambda: _done(roll) >= done + len(names), "all jobs are done")
    finally:
        jobs.close()
        roll.close()


def _done(roll: WorkerRegister) -> int:
    return roll.counts().get((TAKEN, CRAWL, ""), 0)


async def _turns_s() -> float:
    """CPU seconds of this process for all turns."""
    with a_redis() as redis:
        async with processes(redis, Pace(_RATE, HANDS), 1) as (gate,):

            async def ask() -> None:
                for _ in range(REQUESTS // HANDS):
                    async with gate.turn(Rank.ORDINARY):
                        pass

            began = time.process_time()
            await asyncio.gather(*(ask() for _ in range(HANDS)))
            return time.process_time() - began


COMPARISON: Final = Comparison(
    "overhead", "Handing over a job, and keeping to limits", _ABOUT, run
)

if __name__ == "__main__":
    assert sys.argv[1:] == ["turns"]
    print(asyncio.run(_turns_s()))
