"""A push that is too heavy reaches whoever is to know, and a slim one ends it.

Everything is real: a registry, `weighbridge up`, Prometheus with the shipped rules and
the shipped scrape jobs, Alertmanager, and a webhook. Only the durations of the rules
are shortened to a second, on copies.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import httpx
import pytest

from support.alerting import (
    Receiver,
    alertmanager,
    webhook_receiver,
    with_shipped_rules,
)
from support.docker_registry import docker_registry
from support.images_oci import MadeImage, Pusher, made_image, made_layer
from support.prometheus import Prometheus
from support.serving import PLAIN, log_of
from support.wait import wait_in_thread
from support.weighbridge_up import crawl_once, weighbridge_up

OVER: Final = "WeighbridgeImageOverLimit"
CONFIGURATION: Final = """\
registries:
  - {{name: local, url: "{url}", interval: 5s}}
policies:
  - name: slim
    match: {{repository: "shop/*"}}
    team: shop
    max_compressed: 1MB
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """All servers, and the folder of the one that crawls."""

    pusher: Pusher
    prometheus: Prometheus
    alertmanager: str
    receiver: Receiver
    folder: Path

    def push(self, tag: str, layer_bytes: int) -> None:
        self.pusher.push("shop/api", an_image_of(layer_bytes), tag)

    def active_alerts(self) -> list[dict[str, object]]:
        """What Alertmanager's API says of images that are over their limit."""
        url = f"{self.alertmanager}/api/v2/alerts?filter=alertname={OVER}"
        return list(httpx.get(url, trust_env=False, verify=PLAIN).json())

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        wait_in_thread(
            condition,
            what,
            seen=lambda: (self.active_alerts(), log_of(self.folder)),
        )


def an_image_of(layer_bytes: int) -> MadeImage:
    """An image with one layer that no compression makes smaller."""
    noise = Random(layer_bytes).randbytes(layer_bytes)  # noqa: S311 - no secret
    return made_image(made_layer("data", noise))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        registry = stack.enter_context(docker_registry(tmp_path / "registry"))
        pusher = stack.enter_context(Pusher(registry.url))
        receiver = stack.enter_context(webhook_receiver())
        manager = stack.enter_context(alertmanager(tmp_path / "manager", receiver))
        pusher.push("shop/api", an_image_of(300_000), "1.0")
        folder = tmp_path / "up"
        configuration = CONFIGURATION.format(url=registry.url)
        crawl_once(folder, configuration)
        up = stack.enter_context(weighbridge_up(folder, configuration))
        asked = with_shipped_rules(tmp_path / "prometheus", up.address, manager)
        yield Scene(pusher, stack.enter_context(asked), manager, receiver, folder)


@pytest.mark.long  # 41 s; test_push_to_message has it without Prometheus
@pytest.mark.timeout(180)
def test_a_bloated_push_is_told_and_a_slim_one_ends_it(scene: Scene) -> None:
    limit = "weighbridge_repository_compressed_limit_bytes"
    newest = "weighbridge_repository_newest_image_compressed_bytes"
    scene.wait_until(lambda: bool(scene.prometheus.now(limit)), "the limit is scraped")
    scene.wait_until(lambda: bool(scene.prometheus.now(newest)), "the image is weighed")
    assert scene.receiver.sink.received == []

    scene.push("1.1", 2_000_000)
    scene.wait_until(
        lambda: scene.receiver.find(OVER, "firing") is not None, "the webhook is told"
    )
    active = scene.active_alerts()
    scene.push("1.2", 310_000)
    scene.wait_until(
        lambda: scene.receiver.find(OVER, "resolved") is not None,
        "the webhook is told again",
    )

    told, ended = (
        scene.receiver.find(OVER, "firing"),
        scene.receiver.find(OVER, "resolved"),
    )
    assert told is not None
    assert ended is not None
    assert told["labels"] == ended["labels"]
    assert told["labels"] == {
        "alertname": OVER,
        "job": "weighbridge-repositories",
        "limit": "compressed",
        "registry": "local",
        "repository": "shop/api",
        "severity": "warning",
        "team": "shop",
    }
    assert [alert["labels"] for alert in active] == [told["labels"]]
    annotations = told["annotations"]
    assert isinstance(annotations, dict)
    assert annotations["description"].startswith(
        "A pull of the newest image of local/shop/api moves 2.0"
    )
    assert annotations["description"].endswith("MB; its limit is 1MB.")
    assert scene.active_alerts() == []
