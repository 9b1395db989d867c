"""One kind of fault at a time, at moments that are chance, while two workers crawl a
registry for the first time and tags are pushed: in the end all is as a clean crawl
finds it, every total is right, and nobody had to do anything."""

import sys
from pathlib import Path
from typing import Final

import pytest

from load.soak.faults import WEIGHTS
from load.soak.troubled import a_round
from support.replica.fleet import Fleet

pytestmark = [pytest.mark.long, pytest.mark.timeout(1_200)]

FLEET: Final = Fleet(repositories=30, tags=600, largest=200)
TROUBLE_S: Final = 25.0
SEEDS: Final = (1, 2, 3)
KINDS: Final = {
    "f12_kill_process_of_worker": "kill_process_of_worker",
    "f14_kill_worker": "kill_worker",
    "f16_freeze_worker": "freeze_worker",
    "f16_freeze_process_of_worker": "freeze_process_of_worker",
    "f17_stop_worker": "stop_worker",
    "f18_limit_files_of_worker": "limit_files_of_worker",
    "f18_limit_memory_of_worker": "limit_memory_of_worker",
    "f19_lose_redis": "lose_redis",
    "f20_empty_redis": "empty_redis",
    "f21_freeze_redis": "freeze_redis",
    "f22_demote_redis": "demote_redis",
    "f23_fill_redis": "fill_redis",
    "f23_evict_redis": "evict_redis",
    "f24_crash_postgresql": "crash_postgresql",
    "kill_scheduler": "kill_scheduler",
    "f31_withhold_scheduler": "withhold_scheduler",
    "f32_freeze_scheduler": "freeze_scheduler",
    "f33_move_clock_of_worker": "move_clock_of_worker",
    "f41_freeze_postgresql": "freeze_postgresql",
    "kill_serve": "kill_serve",
}


def test_every_kind_has_its_rounds() -> None:
    assert set(KINDS.values()) == set(WEIGHTS)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_first_crawl_and_pushes_outlive(tmp_path: Path, kind: str, seed: int) -> None:
    tmp_path.chmod(0o755)  # PostgreSQL runs as a user of its own.

    ended = a_round(
        tmp_path / "round",
        seed,
        TROUBLE_S,
        lambda line: print(line, file=sys.stderr),
        fleet=FLEET,
        weights={KINDS[kind]: 1},
        interval="1m",
    )

    assert sum(ended.faults.values()) > 0
    assert ended.wrong == ()
