"""F35 with a real registry: a burst of webhooks, and the looks it leads to."""

import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Timer
from typing import Final

from support.docker_registry import DockerRegistry, docker_registry
from support.images_oci import MadeImage, Pusher, made_image, made_layer
from support.wait import wait_in_thread
from support.webhook_load import (
    SECRET,
    Report,
    event_id,
    send_load,
    with_duplicates,
)
from support.weighbridge_up import weighbridge_up
from weighbridge.domain.webhook.webhook_source import PushSeen
from weighbridge.store.pushes.inbox import BURST, CHECKS_IN_A_BURST, ReceivedPush

TAGS: Final = 7
DUPLICATES: Final = 0.9


def image(name: str) -> MadeImage:
    return made_image(made_layer(name, name.encode() * 99), label=name)


BEFORE, AFTER = image("before"), image("after")


def fill(registry: DockerRegistry, repositories: int) -> None:
    tags = [f"t{number}" for number in range(TAGS)]
    with Pusher(registry.url) as pusher:
        for number in range(repositories):
            pusher.push(f"load/r{number}", BEFORE, *tags)


def move_some(registry: DockerRegistry, repositories: int) -> None:
    """One tag of each repository, in the middle of the burst."""
    with Pusher(registry.url) as pusher:
        for number in range(repositories):
            pusher.push(f"load/r{number}", AFTER, "t0")


def stored(folder: Path) -> dict[tuple[object, object], str]:
    """What we say that each live tag has."""
    statement = (
        "SELECT r.name, t.name, lower(hex(b.digest)) FROM tags t"
        " JOIN blobs b ON b.id = t.target_id"
        " JOIN repositories r ON r.id = t.repository_id WHERE t.deleted_at IS NULL"
    )
    return {(row[0], row[1]): f"sha256:{row[2]}" for row in rows(folder, statement)}


def rows(folder: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "w.db")) as database:
        return database.execute(statement).fetchall()


def waiting(folder: Path) -> object:
    ((count,),) = rows(folder, "SELECT count(*) FROM pushes WHERE done_at IS NULL")
    return count


def most_looks(folder: Path) -> int:
    """At one tag within the time of a burst."""
    looks: dict[tuple[object, object], set[int]] = defaultdict(set)
    statement = "SELECT repository, tag, done_at FROM pushes"
    for repository, tag, done_at in rows(folder, statement):
        assert isinstance(done_at, int)
        looks[repository, tag].add(done_at)
    return max(
        sum(at <= other < at + BURST // timedelta(microseconds=1) for other in times)
        for times in looks.values()
        for at in times
    )


def requests(folder: Path) -> int:
    """That the registry was asked for its repositories."""
    ((count,),) = rows(folder, "SELECT sum(requests) FROM repositories")
    assert isinstance(count, int)
    return count


def missing(folder: Path, report: Report) -> set[int]:
    kept = {row[0] for row in rows(folder, "SELECT event_key FROM pushes")}
    return {number for number in report.accepted if key_of(number) not in kept}


def key_of(number: int) -> bytes:
    push = PushSeen("load/r", "t", None, False, None, event_id(number))
    return ReceivedPush("local", "distribution", push).event_key


def number_of_last(repository: int, repositories: int) -> int:
    """Of an event of that repository's first tag that was never sent before."""
    number = 7_000_000 + repository
    while number % TAGS or number % repositories != repository:
        number += 1
    return number


def check_burst(
    tmp_path: Path,
    *,
    repositories: int,
    a_second: int,
    seconds: int,
    looks: int,
    digest_of: Callable[[int], str],
) -> None:
    """Send it to a service and see that nothing is lost, that no tag is asked about
    too often, and that the end is what the registry has.

    looks: how often a tag may be asked about within the time of a burst
    """
    with docker_registry(tmp_path / "registry") as registry:
        fill(registry, repositories)
        configuration = {
            "registries": [{"name": "local", "url": registry.url, "interval": "300d"}],
            "webhooks": [
                {"source": "distribution", "registry": "local", "secret": SECRET}
            ],
            "log_level": "error",
        }
        folder = tmp_path / "service"
        with weighbridge_up(folder, json.dumps(configuration)) as up:
            wait_in_thread(
                lambda: len(stored(folder)) == repositories * TAGS,
                "the first crawl",
            )
            before = requests(folder)
            mover = Timer(seconds / 2, move_some, [registry, repositories])
            mover.start()
            report = send_load(
                up.address,
                with_duplicates(a_second * seconds, DUPLICATES),
                a_second=a_second,
                connections=50,
                repositories=repositories,
                digest_of=digest_of,
            )
            mover.join()
            last = send_load(
                up.address,
                [
                    number_of_last(number, repositories)
                    for number in range(repositories)
                ],
                a_second=0,
                connections=1,
                repositories=repositories,
                digest_of=lambda _: str(AFTER.digest),
            )
            began = time.monotonic()
            wait_in_thread(lambda: waiting(folder) == 0, "all is looked at")
            asked = requests(folder) - before
            print(
                f"{report.offered} offered, {dict(report.statuses)};"
                f" done {time.monotonic() - began:.1f} s after the last;"
                f" at most {most_looks(folder)} looks at a tag in {BURST};"
                f" {asked} requests"
            )

    assert report.lost == last.lost == 0
    assert set(report.statuses) <= {202, 503}
    assert set(last.statuses) == {202}
    assert missing(folder, report) == set()
    assert most_looks(folder) <= CHECKS_IN_A_BURST
    # The burst and its end lie in two windows at most; a new image costs five more.
    assert asked <= repositories * (2 * TAGS * looks + 5)
    wanted = {
        (f"load/r{repository}", f"t{tag}"): (BEFORE if tag else AFTER).digest
        for repository in range(repositories)
        for tag in range(TAGS)
    }
    assert stored(folder) == wanted
