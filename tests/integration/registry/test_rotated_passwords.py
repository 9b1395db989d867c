"""A password that is replaced while a real registry is crawled, in the way that
Kubernetes replaces a mounted secret."""

import json
import os
from pathlib import Path
from threading import Thread
from typing import Final

import pytest

from support.docker_registry import DockerRegistry, docker_registry, htpasswd
from support.images_oci import Pusher, made_image
from support.wait import wait_in_thread
from weighbridge.cli.main import run

USER: Final = "ann"
FIRST, SECOND, THIRD = "c4nary-first", "c4nary-second", "c4nary-third"
TAGS: Final = 60
IMAGE: Final = made_image()
TAG_PATH: Final = "/v2/shop/app/manifests/t"
Capture = pytest.CaptureFixture[str]


class Mounted:
    """A secret's folder: each state is a folder of its own, and `..data` a link to the
    one that holds."""

    def __init__(self, folder: Path, content: str) -> None:
        self.folder = folder
        self.states = 0
        folder.mkdir()
        self.replace(content)
        self.file = folder / "password"
        self.file.symlink_to("..data/password")

    def replace(self, content: str) -> None:
        self.states += 1
        state = self.folder / f"..state_{self.states}"
        state.mkdir()
        (state / "password").write_text(content)
        link = self.folder / "..data_tmp"
        link.symlink_to(state.name)
        os.replace(link, self.folder / "..data")


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mounted:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return Mounted(tmp_path / "secret", FIRST)


def configure(registry: DockerRegistry, file: Path, per_second: int = 1_000) -> None:
    entry = {
        "name": "guarded",
        "url": registry.url,
        "auth": {"username": USER, "password_file": str(file)},
        "limits": {"requests_per_second": per_second, "concurrency": 4},
    }
    text = {"database_url": "sqlite:///w.db", "registries": [entry]}
    Path("weighbridge.yaml").write_text(json.dumps(text))


def asked(registry: DockerRegistry) -> int:
    return registry.log.count(TAG_PATH)


def crawled(capsys: Capture, code: int = 0) -> dict[str, object]:
    assert run(["crawl", "-o", "json"]) == code
    out, err = capsys.readouterr()
    for secret in (FIRST, SECOND, THIRD):
        assert secret not in out + err
        assert all(secret.encode() not in f.read_bytes() for f in Path().glob("w.db*"))
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def test_a_password_may_be_replaced_between_crawls_and_in_the_middle_of_one(
    tmp_path: Path, mounted: Mounted, capsys: Capture
) -> None:
    users = tmp_path / "users"
    auth = htpasswd(users, USER, FIRST)
    logged = {"log": {"level": "warn"}}
    with docker_registry(tmp_path / "registry", auth=auth, settings=logged) as registry:
        with Pusher(registry.url, auth=(USER, FIRST)) as pusher:
            pusher.push("shop/app", IMAGE, *(f"t{n}" for n in range(TAGS)))
        configure(registry, mounted.file)
        crawled(capsys)
        mounted.replace(SECOND)
        htpasswd(users, USER, SECOND)

        between = crawled(capsys)

        configure(registry, mounted.file, per_second=30)
        before = asked(registry)

        def rotate() -> None:
            wait_in_thread(
                lambda: asked(registry) > before + 5, "a crawl", deadline_s=20
            )
            mounted.replace(THIRD)
            htpasswd(users, USER, THIRD)

        rotating = Thread(target=rotate)
        rotating.start()
        within = crawled(capsys)
        rotating.join()
        lines = registry.log.splitlines()
        refused = [line for line in lines if TAG_PATH in line and '" 401 ' in line]

    assert (between["tags"], between["errors"]) == (TAGS, [])
    assert (within["tags"], within["errors"]) == (TAGS, [])
    assert refused


def test_a_refused_password_that_nobody_replaced_stays_refused(
    tmp_path: Path, mounted: Mounted, capsys: Capture
) -> None:
    auth = htpasswd(tmp_path / "users", USER, SECOND)
    with docker_registry(tmp_path / "registry", auth=auth) as registry:
        configure(registry, mounted.file)

        found = crawled(capsys, code=3)

    assert "unauthorized" in json.dumps(found["errors"])
