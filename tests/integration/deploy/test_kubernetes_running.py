"""What the Kubernetes manifests start, from the commands of the page to its end."""

import base64
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
import pytest
import yaml

from support.cluster import Cluster, a_cluster_of_pods
from support.docker_registry import docker_registry, htpasswd
from support.images_oci import Pusher, made_image, made_layer
from support.kubelet import Pod
from support.kubernetes_page import Reader, a_reader
from support.postgres import a_cluster
from support.redis_server import a_redis
from support.serving import PLAIN
from support.wait import wait_in_thread
from weighbridge.demo.http.server import RunningDemo
from weighbridge.demo.story import demo_content

CREDENTIALS: Final = "Credentials of registries"
BEGIN: Final = "From nothing to a dashboard"
TAGS: Final = 76
"""Of the demo's registry."""


@pytest.fixture
def demo() -> Iterator[RunningDemo]:
    running = RunningDemo(demo_content())
    yield running
    running.close()


def configured(reader: Reader, url: str, **limits: object) -> None:
    """The person's own `weighbridge.yaml`: one registry, the rest as it was copied."""
    place = reader.folder / "weighing/weighbridge.yaml"
    settings = yaml.safe_load(place.read_text())
    settings["registries"] = [{"name": "near", "url": url, "limits": limits}]
    place.write_text(json.dumps(settings))


def begun(tmp_path: Path, cluster: Cluster, url: str, **limits: object) -> Reader:
    """The page up to the first `kubectl apply`."""
    reader = a_reader(tmp_path, curl="http://127.0.0.1:8080", **SECRETS)
    copying, secrets, _, _ = reader.blocks("console", BEGIN)
    for command in commands(copying):
        reader.run(command)
    configured(reader, url, **limits)
    reader.write(BEGIN)
    for command in commands(secrets):
        reader.run(command)
    keep_secret(reader, cluster)
    return reader


SECRETS: Final = {
    "database_url": "postgresql://weighbridge:PASSWORD@postgres.example/weighbridge",
    "redis_url": "rediss://:PASSWORD@redis.example:6379/0",
}


def commands(block: str) -> list[str]:
    return [line.removeprefix("$ ") for line in block.splitlines() if line]


def keep_secret(reader: Reader, cluster: Cluster) -> None:
    made = reader.made()
    cluster.objects["Secret", made["metadata"]["name"]] = made


def asked(pod: Pod, path: str, token: str = "") -> httpx.Response:
    auth = ("me", token) if token else None
    url = f"{pod.url}{path}"
    return httpx.get(url, auth=auth, trust_env=False, verify=PLAIN, timeout=20)


def crawled_tags(pod: Pod, token: str) -> list[int]:
    answer = asked(pod, "/api/v1/registries", token)
    assert answer.status_code == 200, answer.text
    return [item["tags"] for item in answer.json()["items"]]


def token_of(reader: Reader, name: str) -> str:
    return (reader.folder / "weighing" / name).read_text()


def test_one_pod_serves_crawls_takes_a_policy_and_ends(
    tmp_path: Path, demo: RunningDemo
) -> None:
    with a_cluster_of_pods(tmp_path / "cluster") as cluster:
        reader = begun(tmp_path, cluster, demo.url)
        applying, inside = commands(reader.blocks("console", BEGIN)[2]), BEGIN
        for command in applying[:3]:
            reader.run(command)
        cluster.apply(reader.rendered())
        seconds = cluster.wait_until_ready()
        (pod,) = cluster.pods.values()
        sys.stderr.write(f"embedded: ready in {seconds:.1f} s\n")

        people, prometheus = token_of(reader, "people"), token_of(reader, "prometheus")
        wait_in_thread(
            lambda: crawled_tags(pod, people) == [TAGS],
            "it is crawled",
            seen=cluster.said,
        )
        said = json.loads(reader.run(applying[3], curl=pod.url))
        assert [item["name"] for item in said["items"]] == ["near"]
        # Whoever has no token, or another one, is not let in.
        assert asked(pod, "/api/v1/registries").status_code == 401
        assert asked(pod, "/metrics", prometheus).status_code == 200
        (command,) = commands(reader.blocks("console", inside)[3])
        listed = pod.exec(*command.partition(" -- weighbridge ")[2].split())
        assert "prometheus" in listed.stdout, listed

        (command,) = commands(reader.blocks("console", "Back up")[0])
        backed_up = pod.exec(*command.partition(" -- weighbridge ")[2].split())
        assert backed_up.returncode == 0, backed_up
        assert (pod.volume / "backup.db").exists()

        # Another policy restarts nothing, and is in force soon.
        place = reader.folder / "weighing/everything.yaml"
        place.write_text("policies: [{name: strict, max_compressed: 1MB}]\n")
        cluster.apply(reader.rendered())
        name = "weighbridge_repository_compressed_limit_bytes{"
        wait_in_thread(
            lambda: f"{name}" in asked(pod, "/metrics/repositories", prometheus).text,
            "the limit is a series",
            seen=cluster.said,
        )
        assert pod.restarts == 0, pod.log
        cluster.delete(pod)

    assert (pod.exit_codes, pod.was_killed) == ([0], False), pod.log
    assert pod.liveness_restarts == 0


@pytest.mark.long  # waits for a slow crawl; `up` is stopped by test_stopping_a_crawl.py
def test_a_pod_that_is_moved_while_it_crawls_goes_on(
    tmp_path: Path, demo: RunningDemo
) -> None:
    with a_cluster_of_pods(tmp_path / "cluster") as cluster:
        reader = begun(tmp_path, cluster, demo.url, requests_per_second=10)
        cluster.apply(reader.rendered())
        cluster.wait_until_ready()
        (first,) = cluster.pods.values()
        people = token_of(reader, "people")
        wait_in_thread(
            lambda: 0 < sum(crawled_tags(first, people)) < TAGS,
            "it is being crawled",
            seen=cluster.said,
        )

        cluster.delete(first)
        cluster.apply(reader.rendered())

        cluster.wait_until_ready()
        (second,) = cluster.pods.values()
        assert sum(crawled_tags(second, people)) > 0
        wait_in_thread(
            lambda: crawled_tags(second, people) == [TAGS],
            "it goes on",
            seen=cluster.said,
        )
        verified = second.exec("db", "verify")

    assert (first.exit_codes, first.was_killed) == ([0], False), first.log
    assert f"{TAGS} tags" in verified.stdout, verified


def test_another_configuration_is_another_template(tmp_path: Path) -> None:
    with a_cluster_of_pods(tmp_path / "cluster") as cluster:
        reader = begun(tmp_path, cluster, "http://127.0.0.1:1")
        first = reader.rendered().pods()
        (reader.folder / "weighing/everything.yaml").write_text("policies: []\n")

        assert reader.rendered().pods() == first
        configured(reader, "http://127.0.0.1:2")
        assert reader.rendered().pods() != first


@pytest.mark.long  # a Pod and a registry; files that are replaced have quick tests
def test_a_password_that_is_replaced_is_used_without_a_restart(tmp_path: Path) -> None:
    auth = htpasswd(tmp_path / "registry", "robot", "right")
    with (
        docker_registry(tmp_path / "registry", auth=auth) as registry,
        a_cluster_of_pods(tmp_path / "cluster") as cluster,
    ):
        with Pusher(registry.url, auth=("robot", "right")) as pusher:
            image = made_image(made_layer("app", b"one layer" * 50))
            pusher.push("shop/api", image, "1")
        reader = begun(tmp_path, cluster, registry.url)
        place = reader.folder / "weighing/weighbridge.yaml"
        settings = json.loads(place.read_text())
        shown = yaml.safe_load(reader.blocks("yaml", CREDENTIALS)[0])
        settings["registries"][0] |= {
            "auth": shown["registries"][0]["auth"],
            "interval": "1s",
        }
        place.write_text(json.dumps(settings))

        def keep_password(password: str) -> None:
            login = base64.b64encode(f"robot:{password}".encode()).decode()
            auths = {"auths": {registry.address: {"auth": login}}}
            (place.parent / "config.json").write_text(json.dumps(auths))
            (command,) = commands(reader.blocks("console", CREDENTIALS)[0])
            reader.run(command)
            keep_secret(reader, cluster)

        keep_password("wrong")
        cluster.apply(reader.rendered())
        cluster.wait_until_ready()
        (pod,) = cluster.pods.values()
        people = token_of(reader, "people")
        wait_in_thread(lambda: "unauthorized" in pod.log, "refused", seen=cluster.said)
        assert crawled_tags(pod, people) == [0]

        keep_password("right")
        cluster.apply(reader.rendered())
        wait_in_thread(
            lambda: crawled_tags(pod, people) == [1], "it is let in", seen=cluster.said
        )

    assert pod.exit_codes == [0], pod.log


@pytest.mark.long  # two starts of a Pod; it is about the tests' own kubelet
def test_a_pod_whose_liveness_probe_fails_is_restarted(
    tmp_path: Path, demo: RunningDemo
) -> None:
    with a_cluster_of_pods(tmp_path / "cluster") as cluster:
        reader = begun(tmp_path, cluster, demo.url)
        manifests = reader.rendered()
        (container,) = manifests.pods()["weighbridge"]["containers"]
        container["livenessProbe"] |= {
            "httpGet": {"path": "/nowhere", "port": "http"},
            "periodSeconds": 1,
        }

        cluster.apply(manifests)

        (pod,) = cluster.pods.values()
        wait_in_thread(
            lambda: pod.liveness_restarts > 0, "it is restarted", seen=cluster.said
        )


@pytest.mark.long  # two of each, twelve processes
@pytest.mark.timeout(600)
def test_several_processes_survive_their_database_and_lose_nothing(
    tmp_path: Path, demo: RunningDemo
) -> None:
    with ExitStack() as stack:
        database = stack.enter_context(a_cluster())
        redis = stack.enter_context(a_redis())
        cluster = stack.enter_context(a_cluster_of_pods(tmp_path / "cluster"))
        # So slow that much may happen to its crawl.
        reader = begun(tmp_path, cluster, demo.url, requests_per_second=4)
        reader.write(BEGIN, embedded="distributed")
        urls = {
            "database_url": database.url(database.create()),
            "redis_url": redis.url.reveal(),
        }
        (console,) = reader.blocks("console", "Several processes")[:1]
        for command in commands(console):
            reader.run(command, **urls)
            if "create secret" in command:
                keep_secret(reader, cluster)
        cluster.apply(reader.rendered())
        seconds = cluster.wait_until_ready()
        sys.stderr.write(f"distributed: ready in {seconds:.1f} s\n")
        people = token_of(reader, "people")
        serve, workers = (cluster.of(f"weighbridge-{x}-") for x in ("serve", "worker"))

        def crawled() -> int:
            return sum(crawled_tags(serve[0], people))

        def is_under_way() -> bool:
            return 0 < crawled() < TAGS

        wait_in_thread(is_under_way, "it is being crawled", seen=cluster.said)
        before = {name: pod.restarts for name, pod in cluster.pods.items()}
        database.stop_immediately()
        wait_in_thread(
            lambda: not any(pod.is_ready for pod in serve),
            "no service is ready",
            seen=cluster.said,
        )
        database.start()
        seconds = cluster.wait_until_ready()
        sys.stderr.write(f"the database is back: ready in {seconds:.1f} s\n")
        after = {name: pod.restarts for name, pod in cluster.pods.items()}
        assert after == before, cluster.said()
        assert not any(pod.probes["livenessProbe"].has_ever_failed for pod in serve)

        assert is_under_way()
        cluster.delete(workers[0])
        assert workers[0].exit_codes[-1] == 0, workers[0].log
        wait_in_thread(
            lambda: crawled() == TAGS,
            "the other one completes it",
            deadline_s=180,
            seen=cluster.said,
        )
        verified = serve[0].exec("db", "verify")
        running = [pod for pod in cluster.pods.values() if not pod.is_complete]
        cluster.delete(*running)

    assert f"{TAGS} tags" in verified.stdout, verified
    for pod in (*running, workers[0]):
        assert pod.exit_codes[-1] == 0, (pod.name, pod.log)
        assert not pod.was_killed, (pod.name, pod.log)
        assert pod.liveness_restarts == 0
