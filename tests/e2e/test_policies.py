"""Policies of a running `weighbridge up`: changed, broken, repaired; and SIGHUP."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.docker_registry import docker_registry
from support.images_oci import Pusher, made_image
from support.serving import log_of
from support.wait import wait_in_thread
from support.weighbridge_up import Up, crawl_once, weighbridge_up

_LIMIT = re.compile(
    r'^weighbridge_repository_compressed_limit_bytes\{registry="local",'
    r'repository="shop/api"\} (\d+)$',
    re.MULTILINE,
)


_READ_AGAIN = '"event": "policies were read again"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("policies") / "up"
    (found / "policies.d").mkdir(parents=True)
    return found


@pytest.fixture(scope="module")
def up(folder: Path) -> Iterator[Up]:
    write(folder, "500MB")
    with docker_registry(folder.parent / "registry") as registry:
        with Pusher(registry.url) as pusher:
            pusher.push("shop/api", made_image(), "1.0")
        configuration = (
            f"registries: [{{name: local, url: '{registry.url}'}}]\n"
            "policy_files: ['policies.d/*.yaml']\n"
        )
        crawl_once(folder, configuration)
        with weighbridge_up(folder, configuration) as running:
            wait_for_limit(running, folder, 500_000_000)
            yield running


def write(folder: Path, limit: str) -> None:
    text = f"policies:\n  - name: slim\n    max_compressed: {limit}\n"
    (folder / "policies.d/slim.yaml").write_text(text)


def limit_of(up: Up) -> int | None:
    found = _LIMIT.search(up.get("/metrics/repositories"))
    return int(found[1]) if found else None


def wait_for_limit(up: Up, folder: Path, limit: int) -> None:
    wait_in_thread(
        lambda: limit_of(up) == limit,
        f"the limit is {limit}",
        seen=lambda: log_of(folder),
    )


def is_successful(up: Up) -> bool:
    metrics = up.get("/metrics")
    return "\nweighbridge_config_last_reload_successful 1.0\n" in metrics


@pytest.mark.timeout(180)
def test_a_changed_policy_shows_within_fifteen_seconds_and_a_broken_one_never(
    up: Up, folder: Path
) -> None:
    write(folder, "700MB")
    wait_for_limit(up, folder, 700_000_000)

    write(folder, "lots")
    wait_in_thread(lambda: not is_successful(up), "it says so")
    kept = limit_of(up)
    log = log_of(folder)
    write(folder, "900MB")
    wait_for_limit(up, folder, 900_000_000)

    assert kept == 700_000_000
    assert "policies.d/slim.yaml:3  policies[0].max_compressed = lots" in log
    assert is_successful(up)


@pytest.mark.timeout(180)
def test_a_hangup_has_policies_read_again_and_ends_nothing(
    up: Up, folder: Path
) -> None:
    limit, before = limit_of(up), log_of(folder).count(_READ_AGAIN)

    os.kill(up.pid, signal.SIGHUP)

    wait_in_thread(
        lambda: log_of(folder).count(_READ_AGAIN) == before + 1,
        "policies are read again",
        seen=lambda: log_of(folder),
    )
    assert limit is not None
    assert limit_of(up) == limit
