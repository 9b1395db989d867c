"""`tests/e2e/check_exit_codes.sh` in front of a registry, the demo and a service."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from support.docker_registry import docker_registry
from support.missing import skip_or_fail
from support.weighbridge_up import crawl_once, weighbridge_up
from weighbridge.demo.http.server import RunningDemo
from weighbridge.demo.story import demo_content

SCRIPT: Final = Path(__file__).parents[1] / "e2e" / "check_exit_codes.sh"
SERVICE: Final = """\
registries: [{{name: local, url: "{url}", interval: 1d}}]
policies:
  - name: services
    match: {{repository: "shop/*"}}
    max_growth: 25%
    min_growth: 1MB
web: {{external_url: "http://weighbridge.example"}}
"""


def run(action: str, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        ["sh", str(SCRIPT), action],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def at_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, with no configuration and no sign-in of whoever runs the tests."""
    for name in ("WEIGHBRIDGE_CONFIG", "WEIGHBRIDGE_TOKEN", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder)
    return folder


def said_of_cases(action: str, home: Path) -> str:
    """What the script says when it has checked the cases of `action`, and then those
    in which a waiver holds."""
    if missing := [p for p in ("umoci", "buildah", "skopeo") if not shutil.which(p)]:
        skip_or_fail(f"not installed: {', '.join(missing)}")
    if os.geteuid() != 0:
        skip_or_fail("buildah's chroot isolation needs root")
    work, service = home / "work", home / "service"
    work.mkdir()
    environment = {
        "WEIGHBRIDGE": f"{sys.executable} -m weighbridge",
        "FOLDER": str(work),
        "TOKEN_FILE": str(service / "token"),
    }
    demo = RunningDemo(demo_content())
    silent = socket.create_server(("127.0.0.1", 0))
    with closing(demo), closing(silent), docker_registry(home / "registry") as registry:
        environment["REGISTRY"] = registry.address
        environment["DEMO"] = demo.url.removeprefix("http://")
        environment["SILENT"] = f"127.0.0.1:{silent.getsockname()[1]}"
        run("images", environment)
        configuration = SERVICE.format(url=registry.url)
        crawl_once(service, configuration)
        token = weighbridge(service, "token", "create", "--role", "read")
        (service / "token").write_text(token)
        with weighbridge_up(service, configuration) as up:
            environment["SERVER"] = f"http://{up.address}"
            said = run(action, environment)
            waive = ("local/shop/app", "--reason", "a test", "--until", "1d")
            weighbridge(service, "waive", "create", *waive)
            waived = run("waived", environment)
    return said + waived


def weighbridge(folder: Path, *arguments: str) -> str:
    """What a command prints beside a service."""
    done = subprocess.run(
        [sys.executable, "-m", "weighbridge", *arguments, "--database", "w.db"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
