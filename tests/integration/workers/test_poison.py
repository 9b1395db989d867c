"""Whatever stands in Redis, a worker does the next good job.

One worker, with one process, lives through all of it.
"""

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from support.generated_content import generated_content
from support.worker_crew import Crew, Process, a_crew
from weighbridge.demo.http.server import RunningDemo
from weighbridge.jobs.redis.job_messages import JobMessage, payload_of
from weighbridge.jobs.redis.worker_register import (
    DROPPED,
    TAKEN,
    UNKNOWN,
    WorkerRegister,
)
from weighbridge.ports.job_names import CANARY, QUEUES, TICK

SOON_S: Final = 30.0
"""After the cause has gone."""


@dataclass(frozen=True, slots=True)
class Scene:
    crew: Crew
    worker: Process

    def taken(self) -> int:
        """Ticks that were done so far."""
        return self._count((TAKEN, TICK, ""))

    def dropped(self) -> int:
        """Messages that were dropped so far, as they are not ours."""
        return self._count((DROPPED, UNKNOWN, "malformed_job"))

    def _count(self, event: tuple[str, str, str]) -> int:
        with closing(WorkerRegister(self.crew.redis.url)) as roll:
            try:
                return roll.counts().get(event, 0)
            except OSError:
                return 0  # Its key was of a wrong type, and is gone now.

    def works(self) -> float:
        """Seconds until the next good job was done, by the same process."""
        before = self.taken()
        self.crew.enqueue_tick()
        took_s = self.crew.wait_for(
            lambda: self.taken() > before, "the next good job is done", SOON_S
        )
        assert self.worker.log.count(" ready.") == 1
        return took_s

    def drops(self, raws: list[bytes], queue: str = "crawl") -> None:
        """The worker drops all of these, and tells of each once."""
        counted, told = self.dropped(), self.worker.log.count("malformed_job]")
        with self.crew.redis.client() as client:
            for raw in raws:
                client.lpush(queue, raw)
        self.crew.wait_for(
            lambda: self.dropped() == counted + len(raws), "all are dropped"
        )
        assert self.worker.log.count("malformed_job]") == told + len(raws)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("crew")
    registry = RunningDemo(generated_content(repositories=1, tags=1))
    try:
        with a_crew(folder, registry.url, engine="sqlite") as crew:
            worker = crew.single_worker()
            crew.wait_for(lambda: worker.has_begun(1), "it is ready")
            yield Scene(crew, worker)
    finally:
        registry.close()


def a_message(**change: object) -> bytes:
    """One of ours with something else in it."""
    return json.dumps(payload_of(JobMessage(TICK, "", "a1"), "crawl") | change).encode()


def with_header(**change: object) -> bytes:
    headers = payload_of(JobMessage(TICK, "", "a1"), "crawl")["headers"]
    assert isinstance(headers, dict)
    return a_message(headers=headers | change)


def with_body(value: object) -> bytes:
    return a_message(body=base64.b64encode(json.dumps(value).encode()).decode())


GARBAGE: Final = [
    *(b"", b"garbage", b"\xff\xfe\x00", b"[1,2]", b"null", b"{}", b"7", b"[" * 100_000),
    *(a_message(body=None), a_message(body=7), a_message(body="no base64")),
    *(a_message(headers=None), a_message(headers=[1]), a_message(properties=None)),
    with_header(task="evil.task"),
    with_header(task={"a": 1}),
    with_header(id=[1]),
    a_message(**{"content-type": "x/y"}),
    a_message(**{"content-encoding": "rot99"}),
    with_body(7),
    with_body([["a", "b"], {}, {}]),
    with_body([[""], {"force": 1}, {}]),
    b" " * 5_000_000,
]
STRANGE: Final = [
    with_header(compression="application/x-gzip"),
    with_header(eta=[1]),
    with_header(expires="yesterday"),
    with_header(timelimit="x"),
    with_header(retries={}),
    with_body([[""], {}, 7]),
    a_message(
        properties={"body_encoding": "base64", "priority": [1], "delivery_tag": [1]}
    ),
]
"""What a good message may hold besides: of this nothing is passed on."""


@pytest.mark.parametrize("queue", QUEUES)
def test_broker_006_garbage_is_told_once_counted_and_gone(
    scene: Scene, queue: str
) -> None:
    scene.drops(GARBAGE if queue == "crawl" else GARBAGE[:4], queue)

    scene.works()
    with scene.crew.redis.client() as client:
        scene.crew.wait_for(lambda: client.llen(queue) == 0, "nothing waits")
        scene.crew.wait_for(
            lambda: not client.exists("unacked"), "nothing is left unconfirmed"
        )


def test_broker_006_of_garbage_200_bytes_are_told(scene: Scene) -> None:
    scene.drops([b"A" * 300 + b"B"])

    assert "A" * 200 in scene.worker.log
    assert "A" * 201 not in scene.worker.log


def test_broker_007_a_job_in_a_strange_message_is_done(scene: Scene) -> None:
    before = scene.taken()
    with scene.crew.redis.client() as client:
        for raw in STRANGE:
            client.lpush("crawl", raw)

    scene.crew.wait_for(
        lambda: scene.taken() == before + len(STRANGE), "all are done", SOON_S
    )
    scene.works()


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=8))
def test_broker_006_after_any_bytes_the_next_good_job_is_done(
    scene: Scene, raws: list[bytes]
) -> None:
    scene.drops(raws)

    scene.works()


def a_wrong_key(key: str) -> Callable[["Redis"], None]:
    def do(client: "Redis") -> None:
        client.delete(key)
        client.set(key, "x")

    return do


@pytest.mark.parametrize("key", [*QUEUES, "unacked", "unacked_index"])
def test_broker_008_beside_a_key_of_a_wrong_type_other_work_goes_on(
    scene: Scene, key: str
) -> None:
    with scene.crew.redis.client() as client:
        a_wrong_key(key)(client)
        try:
            if key != "notify":
                scene.works()
            else:
                scene.crew.wait_for(
                    lambda: "wrong type: notify" in scene.worker.log, "it is told"
                )
        finally:
            # It may be somebody else's: nobody but who put it there takes it away.
            assert client.get(key) == "x"
            client.delete(key)

    assert scene.works() < SOON_S


@pytest.mark.parametrize(
    "key",
    ["weighbridge:workers", "weighbridge:counts", f"weighbridge:waiting:{TICK}:"],
)
def test_broker_009_our_own_keys_of_a_wrong_type_are_put_right(
    scene: Scene, key: str
) -> None:
    with scene.crew.redis.client() as client:
        client.delete(key)
        client.lpush(key, "x")

    scene.works()


def test_broker_009_a_mark_that_would_stay_keeps_no_work_from_being_done(
    scene: Scene,
) -> None:
    with scene.crew.redis.client() as client:
        client.set(f"weighbridge:waiting:{TICK}:", "")

    scene.works()


def test_broker_010_what_is_kept_of_unconfirmed_messages_may_be_garbage(
    scene: Scene,
) -> None:
    good = payload_of(JobMessage(TICK, "", "a1"), "crawl")
    kept = {
        "one": "[]",
        "two": "garbage",
        "three": json.dumps([good, "", "weighbridge:counts"]),
        "four": json.dumps([7, "", "crawl"]),
    }
    before = scene.dropped()
    with scene.crew.redis.client() as client:
        client.hset("unacked", mapping=kept)
        client.zadd("unacked_index", dict.fromkeys(kept, 1.0))

    scene.crew.wait_for(lambda: scene.dropped() == before + 4, "all are dropped")

    scene.works()
    with scene.crew.redis.client() as client:
        assert client.type("weighbridge:counts") == "hash"


def test_broker_010_an_unconfirmed_message_is_given_to_somebody(scene: Scene) -> None:
    good = payload_of(JobMessage(TICK, "", "a1"), "notify")
    before = scene.taken()
    with scene.crew.redis.client() as client:
        client.hset("unacked", "lost", json.dumps([good, "", "notify"]))
        client.zadd("unacked_index", {"lost": 1.0})

    scene.crew.wait_for(lambda: scene.taken() > before, "it is done", SOON_S)


def test_f23_a_full_redis_is_waited_for(scene: Scene) -> None:
    with scene.crew.redis.client() as client:
        client.lpush("crawl", *[a_message()] * 3)
        client.config_set("maxmemory", "1mb")
        try:
            before = scene.dropped()
            scene.crew.enqueue_tick()
            scene.crew.wait_for(lambda: client.llen("crawl") == 0, "what was there")
        finally:
            client.config_set("maxmemory", "0")
        assert scene.dropped() == before

    assert scene.works() < SOON_S


def test_f22_a_redis_that_became_a_replica_is_waited_for(scene: Scene) -> None:
    with scene.crew.redis.client() as client:
        client.replicaof("127.0.0.1", "1")
        scene.crew.wait_for(
            lambda: "ReadOnlyError" in scene.worker.log, "it is told", SOON_S
        )
        client.replicaof("NO", "ONE")

    assert scene.works() < SOON_S


@pytest.mark.parametrize(
    "command", [b"garbage", b"\xff", b"[1]", b"7", b"{}", b"[" * 100_000]
)
def test_broker_011_what_is_no_command_ends_nothing(
    scene: Scene, command: bytes
) -> None:
    with scene.crew.redis.client() as client:
        assert client.publish("/0.celery.pidbox", command) == 1

    scene.works()


def test_broker_007_a_canary_of_others_in_a_queue_is_nothing(scene: Scene) -> None:
    with scene.crew.redis.client() as client:
        client.lpush(
            "crawl",
            json.dumps(payload_of(JobMessage(CANARY, "", str(uuid.uuid4())), "x")),
        )

    scene.works()
