"""docs/deploying/tls-and-sign-in.md, from its first command to its last."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from support.page_examples import Block, blocks_of
from support.serving import free_address
from support.wait import wait_in_thread

PAGE: Final = "deploying/tls-and-sign-in.md"
SECTION: Final = "Serve HTTPS"


class Page:
    """Its blocks, in a folder, with ports that are free here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = {
            shown: free_address().rpartition(":")[2]
            for shown in ("8443", "9090", "8080")
        }
        # The program that the page names is this one.
        program = folder / "weighbridge"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m weighbridge "$@"\n')
        program.chmod(0o755)
        path = f"{folder}:{os.environ['PATH']}"
        self._environment = os.environ | {"PATH": path, "NO_PROXY": "*"}

    def text(self, block: Block) -> str:
        text = block.text.replace("0.0.0.0", "127.0.0.1")
        for shown, port in self._ports.items():
            text = text.replace(shown, port)
        return text

    def run(self, block: Block) -> str:
        done = subprocess.run(
            ["sh", "-eu", "-c", self.text(block)],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block.name}: {done.stderr}"
        return done.stdout

    @contextmanager
    def up(self) -> Iterator[None]:
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["weighbridge", "up"],
                cwd=self.folder,
                env=self._environment,
                executable=self.folder / "weighbridge",
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        said = self.folder / "log"
        try:
            wait_in_thread(
                lambda: "metrics " in said.read_text(), "it serves", seen=said.read_text
            )
            yield
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path)


@pytest.mark.long
def test_every_command_in_its_order(page: Page) -> None:
    configuration, prometheus = (
        b for b in blocks_of(PAGE) if b.language == "yaml" and b.heading == SECTION
    )
    commands = [
        b for b in blocks_of(PAGE) if b.language == "sh" and b.heading == SECTION
    ]
    assert len(commands) == 3
    text = f"database_url: sqlite:///w.db\n{page.text(configuration)}"
    (page.folder / "weighbridge.yaml").write_text(text)

    page.run(commands[0])
    checked = page.run(commands[1])
    with page.up():
        asked = page.run(commands[2])

    assert checked.count("its certificate is valid until") == 2
    # The page's certificate for a try is for this machine alone.
    assert checked.count("warning") == 1
    assert asked.startswith("alive: https://127.0.0.1:")
    assert "<html" in asked
    assert 'weighbridge_tls_reload_failures_total{listener="metrics"} 0.0' in asked
    assert_prometheus_takes(page, prometheus)


def assert_prometheus_takes(page: Page, block: Block) -> None:
    for name in re.findall(r"_file: ([\w.]+)", block.text):
        source = page.folder / "tls" / name
        (page.folder / name).write_bytes(source.read_bytes())
    (page.folder / "prometheus.yml").write_text(page.text(block))
    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"],
        cwd=page.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
