"""What a worker counts is handed over once, however often Redis is away."""

from dataclasses import dataclass, field

import pytest

from weighbridge.bootstrap.distributed.process import Publishing
from weighbridge.jobs.redis.worker_register import Numbers, Series
from weighbridge.telemetry import Telemetry

BYTES = Series("weighbridge_registry_response_bytes_total", (("registry", "hub"),))
RUNS = Series("weighbridge_crawl_runs_total", (("registry", "hub"),))
LEFT = Series("weighbridge_registry_ratelimit_remaining", (("registry", "hub"),))


@dataclass
class FakeSums:
    """A Redis in memory, which may be away, and may refuse a number."""

    counted: dict[Series, float] = field(default_factory=dict)
    seen: dict[Series, float] = field(default_factory=dict)
    refused: set[Series] = field(default_factory=set)
    whole: frozenset[str] = frozenset()
    is_away: bool = False
    calls: int = 0

    def add(self, numbers: Numbers) -> tuple[set[Series], bool]:
        self.calls += 1
        if self.is_away:
            raise OSError("away")
        was_there = bool(self.counted)
        taken = {*numbers.counted, *numbers.seen} - self.refused
        for series, value in numbers.counted.items():
            if series in taken:
                self.counted[series] = self.counted.get(series, 0) + value
        self.seen |= {s: v for s, v in numbers.seen.items() if s in taken}
        for series in numbers.vanished:
            self.seen.pop(series, None)
        self.whole = numbers.whole
        return taken, was_there


@dataclass
class Scene:
    sums: FakeSums = field(default_factory=FakeSums)
    telemetry: Telemetry = field(default_factory=Telemetry)

    def read(self, body_bytes: int) -> None:
        self.telemetry.registry_response_bytes.labels("hub").inc(body_bytes)

    def stores(self, project: str, size: int) -> None:
        self.telemetry.project_quota_used.labels("harbor", project).set(size)

    def saw(self, remaining: int) -> None:
        self.telemetry.registry_ratelimit_remaining.labels("hub").set(remaining)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_two_processes_are_summed_up() -> None:
    sums = FakeSums()
    scenes = [Scene(sums), Scene(sums)]

    for scene, body_bytes in zip(scenes, (100, 20), strict=True):
        publishing = Publishing(scene.telemetry, sums)
        for _ in range(2):
            scene.read(body_bytes)
            publishing.publish()

    assert sums.counted[BYTES] == 240


def test_what_was_not_handed_over_is_handed_over_later(scene: Scene) -> None:
    publishing = Publishing(scene.telemetry, scene.sums)
    scene.read(100)
    publishing.publish()
    scene.sums.is_away = True
    scene.read(20)
    with pytest.raises(OSError, match="away"):
        publishing.publish()
    scene.read(3)
    scene.sums.is_away = False

    publishing.publish()

    assert scene.sums.counted[BYTES] == 123


def test_one_number_that_redis_refuses_does_not_count_the_others_twice(
    scene: Scene,
) -> None:
    publishing = Publishing(scene.telemetry, scene.sums)
    scene.telemetry.begin_registry("hub")
    scene.sums.refused = {RUNS}
    scene.telemetry.crawl_runs.labels("hub").inc()
    scene.read(100)
    publishing.publish()
    scene.sums.refused = set()

    publishing.publish()

    assert (scene.sums.counted[BYTES], scene.sums.counted[RUNS]) == (100, 1)


def test_a_counter_at_0_is_there_before_anything_is_counted(scene: Scene) -> None:
    scene.telemetry.begin_registry("hub")

    Publishing(scene.telemetry, scene.sums).publish()

    assert scene.sums.counted[RUNS] == 0


def test_nothing_new_asks_nobody(scene: Scene) -> None:
    publishing = Publishing(scene.telemetry, scene.sums)
    scene.read(100)
    publishing.publish()

    publishing.publish()

    assert scene.sums.calls == 1


def test_an_old_quota_does_not_replace_a_newer_one(scene: Scene) -> None:
    publishing = Publishing(scene.telemetry, scene.sums)
    scene.saw(90)
    publishing.publish()
    scene.sums.seen[LEFT] = 50.0  # Another process, later.
    scene.read(1)

    publishing.publish()

    assert scene.sums.seen[LEFT] == 50.0


def test_f20_what_was_seen_is_told_again_to_a_redis_that_was_emptied(
    scene: Scene,
) -> None:
    publishing = Publishing(scene.telemetry, scene.sums)
    scene.saw(90)
    publishing.publish()
    scene.sums.counted.clear()
    scene.sums.seen.clear()
    for _ in range(2):
        scene.read(1)
        publishing.publish()

    assert scene.sums.seen[LEFT] == 90
    assert scene.sums.counted[BYTES] == 2


def test_a_project_that_vanished_is_not_told_any_more(scene: Scene) -> None:
    publishing = Publishing(scene.telemetry, scene.sums)
    scene.stores("shop", 5)
    scene.stores("old", 7)
    publishing.publish()
    scene.telemetry.project_quota_used.remove("harbor", "old")
    scene.sums.is_away = True
    with pytest.raises(OSError, match="away"):
        publishing.publish()
    scene.sums.is_away = False

    publishing.publish()
    publishing.publish()

    assert [dict(one.labels)["project"] for one in scene.sums.seen] == ["shop"]
    assert scene.sums.calls == 3


def test_what_a_process_tells_first_of_a_registry_is_all_of_its_projects(
    scene: Scene,
) -> None:
    publishing = Publishing(scene.telemetry, scene.sums)
    told = []
    for size in (5, 6):
        scene.stores("shop", size)
        publishing.publish()
        told.append(scene.sums.whole)

    assert told == [{"harbor"}, frozenset()]


def test_a_question_that_failed_at_one_worker_takes_nothing_from_others(
    scene: Scene,
) -> None:
    publishing = Publishing(scene.telemetry, scene.sums)
    scene.stores("shop", 5)
    publishing.publish()
    scene.telemetry.project_quota_used.remove("harbor", "shop")

    publishing.publish()

    assert list(scene.sums.seen.values()) == [5]
