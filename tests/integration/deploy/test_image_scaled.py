"""The roles of a distributed Weighbridge, each in our own image."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from support.guarded_registry import a_free_port
from support.own_image import OwnImage
from support.postgres import a_cluster
from support.redis_server import a_redis
from support.serving import PLAIN
from support.wait import wait_in_thread
from weighbridge.demo.http.server import RunningDemo
from weighbridge.demo.story import demo_content

ROLES = (("serve",), ("worker", "--concurrency", "1"), ("scheduler",))


@pytest.mark.long
def test_every_role_runs_in_it_read_only(full: OwnImage, tmp_path: Path) -> None:
    port = a_free_port()
    with ExitStack() as stack:
        cluster = stack.enter_context(a_cluster())
        redis = stack.enter_context(a_redis())
        demo = RunningDemo(demo_content())
        stack.callback(demo.close)
        # The volume is the folder with PostgreSQL's socket.
        image = replace(full, data=cluster.folder)
        cluster.folder.chmod(0o755)
        (cluster.folder / "weighbridge.yaml").write_text(
            f"database_url: postgresql://weighbridge@/{cluster.create()}?host=/data\n"
            f"redis_url: {redis.url.reveal()}\n"
            f"registries: [{{name: demo, url: '{demo.url}'}}]\n"
            f"web: {{bind: '127.0.0.1:{port}'}}\n"
        )
        config = ("--config", "/data/weighbridge.yaml")
        upgraded = image.weighbridge("db", "upgrade", *config)
        assert upgraded.returncode == 0, upgraded.stderr
        said = {role[0]: tmp_path / role[0] for role in ROLES}
        running = {
            role[0]: stack.enter_context(
                image.running(*role, *config, said=said[role[0]])
            )
            for role in ROLES
        }

        def texts() -> dict[str, str]:
            return {name: path.read_text()[-2000:] for name, path in said.items()}

        def is_crawled() -> bool:
            assert {p.poll() for p in running.values()} == {None}, texts()
            try:
                url = f"http://127.0.0.1:{port}/api/v1/registries"
                items = httpx.get(url, trust_env=False, verify=PLAIN).json()["items"]
            except httpx.TransportError:
                return False
            return [item["tags"] for item in items] == [76]

        wait_in_thread(is_crawled, "the demo is crawled", deadline_s=90, seen=texts)
        health = image.weighbridge("health", *config)
        verified = image.weighbridge("db", "verify", *config)

    assert health.returncode == 0, health.stderr
    assert "76 tags" in verified.stdout, verified
    assert {name: p.returncode for name, p in running.items()} == {
        name: 0 for name in running
    }
