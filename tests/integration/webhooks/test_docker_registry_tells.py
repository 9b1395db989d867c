"""docker-registry with the configuration that we print, while we are there or not."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import yaml
from sqlalchemy import select

from support.database import a_database_url
from support.docker_registry import DockerRegistry, docker_registry
from support.images_oci import Pusher, made_image, made_layer
from support.pushing import SECRET, PushStage, a_push_stage
from support.serving import free_address, serving
from support.wait import wait_in_thread
from weighbridge.store.models import pushes
from weighbridge.store.session import open_database

AWAY_S: Final = 3.0
"""`tests/load` has a minute of it."""
TAGS: Final = 20


def printed_settings(folder: Path) -> dict[str, object]:
    """The block that `weighbridge webhook url` prints for a distribution."""
    command = (sys.executable, "-m", "weighbridge", "webhook", "url")
    done = subprocess.run(
        [*command, "distribution", "--show-secret"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    settings: dict[str, object] = yaml.safe_load(done.stdout)
    return settings


@contextmanager
def told_registry(
    folder: Path, address: str, database_url: str, prefix: str = ""
) -> Iterator[DockerRegistry]:
    """A registry with that block, and a configuration of ours for it in the folder."""
    port = free_address().rpartition(":")[2]
    configured = {
        "database_url": database_url,
        "registries": [
            {
                "name": "near",
                "url": f"http://127.0.0.1:{port}{prefix}",
                "repositories": {"include": ["shop/*"]},
            }
        ],
        "webhooks": [{"source": "distribution", "registry": "near", "secret": SECRET}],
        "web": {"bind": address},
    }
    (folder / "weighbridge.yaml").write_text(yaml.safe_dump(configured))
    settings = printed_settings(folder)
    with docker_registry(
        folder / "registry", port=int(port), settings=settings, prefix=prefix
    ) as registry:
        yield registry


def test_the_printed_block_has_pushes_told_and_kept(tmp_path: Path) -> None:
    """Below a path of a host, which changes nothing of what is told."""
    address = free_address()
    image = made_image(made_layer("one", b"one" * 500))
    command = [sys.executable, "-m", "weighbridge", "up"]

    with a_database_url(tmp_path) as url:
        database = open_database(url)

        def told() -> set[tuple[str, str | None]]:
            with database.read() as connection:
                rows = connection.execute(select(pushes)).all()
            return {(row.repository, row.tag) for row in rows}

        with (
            told_registry(tmp_path, address, url, "/team/docker") as registry,
            serving(command, tmp_path, address, "/readyz"),
            Pusher(registry.url) as pusher,
        ):
            pusher.push("other/app", image, "1.0")
            pusher.push("shop/app", image, "1.0")
            pusher.push("shop/app", image)  # by its digest: no tag, no push
            pusher.push("shop/app", image, "1.1")
            wait_in_thread(
                lambda: ("shop/app", "1.1") in told(),
                "the last push is kept",
                seen=lambda: (told(), registry.log),
            )
        database.close()

        assert told() == {("shop/app", "1.0"), ("shop/app", "1.1")}


def test_f37_what_was_pushed_while_we_were_away_is_seen_afterwards(
    tmp_path: Path,
) -> None:
    with a_push_stage(tmp_path) as stage, Pusher(stage.registry.url) as pusher:
        with stage.up():
            pusher.push("shop/app", made_image(made_layer("x", b"x" * 99)), "before")
            stage.wait_for(lambda: "before" in stage.tags("shop/app"), "the first")
        ends_at = time.monotonic() + AWAY_S
        for number in range(TAGS):
            layer = made_layer(f"l{number}", f"{number}".encode() * 500)
            pusher.push("shop/app", made_image(layer), f"t{number}")
        time.sleep(max(0.0, ends_at - time.monotonic()))

        with stage.up():
            wanted = {"before", *(f"t{number}" for number in range(TAGS))}
            stage.wait_for(lambda: set(stage.tags("shop/app")) == wanted, "all of them")
            # A crawl may have been faster than those who tell.
            stage.wait_for(lambda: told(stage) == wanted, "all of them are told")


def told(stage: PushStage) -> set[str]:
    return {name.partition(":")[2] for name in stage.outcomes()}
