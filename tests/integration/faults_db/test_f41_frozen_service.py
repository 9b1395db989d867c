"""F41: a service whose PostgreSQL stands still while everything is asked for."""

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx
import pytest

from support.database_proxy import database_proxy
from support.far_server import far_server, run_beside
from support.postgres import Cluster
from support.replica.process import Replica
from support.service_process import Command, service_process
from support.serving import PLAIN
from support.steady_asking import Asked, steady_asking
from support.wait import wait_in_thread

ASK_IT: Final = ("/", "/crawls", "/violations", "/api/v1/repositories")
NEED_IT_NOT: Final = ("/metrics", "/metrics/repositories", "/healthz")
ALL: Final = (*ASK_IT, *NEED_IT_NOT, "/readyz")
ANSWERED_S: Final = 10.0
AT_ONCE_S: Final = 1.0
FROZEN_S: Final = 15.0
BACK_S: Final = 3.0
STOPPED_S: Final = 30.0


def of(asked: Sequence[Asked], paths: Sequence[str]) -> list[Asked]:
    found = [each for each in asked if each.path in paths]
    assert found
    return found


def assert_served_as_far_as_possible(asked: Sequence[Asked]) -> None:
    """While the database was away: what needs it says so, the rest is as ever."""
    for each in of(asked, ASK_IT):
        assert each.status in (200, 503), each
        assert each.seconds < ANSWERED_S, each
    for each in of(asked, NEED_IT_NOT):
        assert each.status == 200, each
        assert each.seconds < AT_ONCE_S, each
    for each in of(asked, ("/readyz",)):
        assert each.seconds < ANSWERED_S, each
    told = {each.code for each in of(asked, ASK_IT) if each.status == 503}
    assert told == {"database_unavailable"}
    assert 503 in {each.status for each in of(asked, ("/readyz",))}


def assert_back(asked: Sequence[Asked]) -> None:
    """Some seconds after it was back."""
    assert {each.status for each in of(asked, ALL)} == {200}


def test_f41_while_the_server_is_frozen_everything_is_answered_in_time(
    tmp_path: Path, cluster: Cluster
) -> None:
    url = cluster.url(cluster.create())
    with service_process("serve", tmp_path, url) as service:
        scrape_once(service.url)
        with steady_asking(service.url, ALL) as asking:
            with cluster.frozen():
                frozen_at = time.monotonic()
                time.sleep(FROZEN_S)
            thawed_at = time.monotonic()
            time.sleep(2 * BACK_S)

    assert_served_as_far_as_possible(asking.sent_between(frozen_at, thawed_at))
    assert_back(asking.sent_between(thawed_at + BACK_S, time.monotonic()))


@pytest.mark.long
def test_f41_while_every_packet_is_lost_everything_is_answered_in_time(
    tmp_path: Path, cluster: Cluster
) -> None:
    with (
        database_proxy(cluster) as proxy,
        service_process("serve", tmp_path, proxy.url(cluster.create())) as service,
    ):
        scrape_once(service.url)
        with steady_asking(service.url, ALL) as asking:
            proxy.swallow()
            lost_at = time.monotonic()
            time.sleep(4 * FROZEN_S)
            healed_at = time.monotonic()
            proxy.heal()
            time.sleep(4 * BACK_S)

    assert_served_as_far_as_possible(asking.sent_between(lost_at, healed_at))
    assert_back(asking.sent_between(healed_at + 3 * BACK_S, time.monotonic()))


@pytest.mark.long
@pytest.mark.netns
def test_f41_while_the_cable_is_pulled_everything_is_answered_in_time(
    tmp_path: Path,
) -> None:
    def story() -> None:
        with far_server() as far:
            url = far.url(far.cluster.create())
            with service_process("serve", tmp_path, url) as service:
                scrape_once(service.url)
                with steady_asking(service.url, ALL) as asking:
                    with far.cable_pulled():
                        cut_at = time.monotonic()
                        time.sleep(2 * FROZEN_S)
                    plugged_at = time.monotonic()
                    time.sleep(4 * BACK_S)

        assert_served_as_far_as_possible(asking.sent_between(cut_at, plugged_at))
        assert_back(asking.sent_between(plugged_at + 3 * BACK_S, time.monotonic()))

    run_beside(story)


@pytest.mark.parametrize(
    "command", [pytest.param("serve", marks=pytest.mark.long), "up"]
)
def test_f41_sigterm_ends_a_service_whose_server_is_frozen(
    tmp_path: Path, cluster: Cluster, replica: Replica, command: Command
) -> None:
    url = cluster.url(cluster.create())
    registry: dict[str, object] = {"name": "near", "url": replica.url}
    with service_process(command, tmp_path, url, registry) as service:
        if command == "up":
            wait_in_thread(lambda: sum(replica.counts().values()) > 50, "it crawls")
        with cluster.frozen():
            with steady_asking(service.url, ALL):
                time.sleep(BACK_S)
                began = time.monotonic()
                service.popen.send_signal(signal.SIGTERM)

            code = service.popen.wait(4 * STOPPED_S)
            took_s = time.monotonic() - began

        print(f"{command} ended after {took_s:.1f} s")
        assert code == 0, service.log
        assert took_s < STOPPED_S


def scrape_once(url: str) -> None:
    """So that there is an inventory to go on with."""
    httpx.get(
        f"{url}/metrics/repositories", trust_env=False, verify=PLAIN
    ).raise_for_status()
