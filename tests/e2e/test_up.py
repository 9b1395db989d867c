"""`weighbridge up` as a process of its own, asked as people and Prometheus do."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from support.promtool import promtool
from support.serving import PLAIN, free_address
from support.wait import wait_in_thread

ROOT = Path(__file__).parents[2]
_DEMO = re.compile(r"weighbridge inspect (127\.0\.0\.1:\d+)/")


@dataclass(frozen=True, slots=True)
class Running:
    """A `weighbridge up` and where it is."""

    process: subprocess.Popen[bytes]
    url: str
    errors: Path
    folder: Path

    @property
    def said(self) -> str:
        return self.errors.read_text()

    @property
    def demo(self) -> str:
        found = _DEMO.search(self.said)
        assert found is not None, self.said
        return found[1]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", trust_env=False, verify=PLAIN, timeout=10)

    def wait_until_ready(self) -> None:
        wait_in_thread(self.is_ready, "it serves", seen=self.errors.read_text)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.said
        try:
            return self.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


def weighbridge(
    *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "weighbridge", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
        check=False,
    )


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(folder: Path, *arguments: str) -> Running:
    port = free_address().rpartition(":")[2]
    errors = folder / "stderr"
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "weighbridge",
                "up",
                "--bind",
                f"127.0.0.1:{port}",
                *arguments,
            ],
            stdout=subprocess.DEVNULL,
            stderr=stream,
            cwd=folder,
            env=os.environ | {"TMPDIR": str(folder)},
            # As on a terminal: a shell lets its background jobs ignore it.
            preexec_fn=_heed_ctrl_c,
        )
    return Running(process, f"http://127.0.0.1:{port}", errors, folder)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with ExitStack() as stack:
        # Its usual port is taken. Where this fails, somebody else has it, which is as
        # good.
        with suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 5080)))
        running = start(tmp_path_factory.mktemp("up"), "--demo")
        stack.callback(running.process.wait)
        stack.callback(running.process.kill)
        running.wait_until_ready()
        yield running


def test_the_demo_tells_the_story_of_937_and_107_megabytes(demo: Running) -> None:
    sizes = {}
    for name in ("hello", "hello-alpine"):
        done = weighbridge("inspect", f"{demo.demo}/tutorial/{name}", "-o", "json")
        (image,) = json.loads(done.stdout)["images"]
        sizes[name] = image["uncompressed_bytes"]

    assert {n: round(b / 1e6) for n, b in sizes.items()} == {
        "hello": 937,
        "hello-alpine": 107,
    }


def test_a_comparison_is_the_same_from_the_registry_and_from_the_service(
    demo: Running,
) -> None:
    asked = weighbridge(
        "compare", f"{demo.demo}/shop/api:1.4.2", ":1.5.0", "--fresh", "-o", "json"
    )

    stored = demo.get("/api/v1/compare?a=demo/shop/api:1.4.2&b=demo/shop/api:1.5.0")

    fresh, kept = json.loads(asked.stdout), stored.json()
    assert fresh["cost"]["requests"] < 40
    for images in (*fresh["images"], *kept["images"]):
        # What the database knows of bases no registry says.
        images["a"]["base"] = images["b"]["base"] = None
    assert fresh["images"] == kept["images"]


def test_what_inspect_says_is_what_the_service_stored(demo: Running) -> None:
    asked = weighbridge("inspect", f"{demo.demo}/shop/api:1.5.0", "-o", "json")

    stored = demo.get("/api/v1/image?ref=demo/shop/api:1.5.0").json()

    fresh = json.loads(asked.stdout)
    for weighing in (stored, fresh):
        for layer in weighing["images"][0]["layers"]:
            # One blob has one media type in the store: that of the first manifest
            # that named it. Docker's and OCI's names mean the same.
            del layer["media_type"]
        # Without a database it is not known which base this is.
        del weighing["images"][0]["base"], weighing["images"][0]["savings"]
    assert stored["images"] == fresh["images"]
    assert stored["digest"] == fresh["digest"]


def test_the_overview_names_the_heaviest_line(demo: Running) -> None:
    page = demo.get("/").text

    assert "shop/api" in page
    assert "torch==1.13.1" in page


@pytest.mark.parametrize("path", ["/metrics", "/metrics/repositories"])
def test_promtool_finds_nothing_to_say_about_the_metrics(
    demo: Running, path: str
) -> None:
    assert promtool(demo.get(path).content) == ""


def test_a_demo_whose_usual_port_is_taken_says_where_it_is(demo: Running) -> None:
    assert not demo.demo.endswith(":5080")
    assert f"note    port 5080 is in use: the demo registry is at {demo.demo}\n" in (
        demo.said
    )


def test_it_logs_no_small_talk(demo: Running) -> None:
    wait_in_thread(
        lambda: '"event": "registry listed"' in demo.said,
        "it has crawled",
        seen=demo.errors.read_text,
    )

    assert "uvicorn" not in demo.said


@pytest.mark.parametrize(
    ("seed", "most", "phases"),
    [
        (1, 2, "examples,fuzzing,stateful"),
        # The same with more that is asked for, and every value at its bounds.
        *(
            pytest.param(
                seed,
                400,
                "examples,coverage,fuzzing,stateful",
                marks=[pytest.mark.long, pytest.mark.timeout(900)],
            )
            for seed in range(2, 6)
        ),
    ],
)
def test_what_the_description_allows_is_taken_and_nothing_else(
    demo: Running, tmp_path: Path, seed: int, most: int, phases: str
) -> None:
    """schemathesis makes requests of the description, holds answers against it, and
    wants wrong requests refused. What is no HTTP at all is logged, so this comes
    after the test of the log. Without a token, so that what writes answers 401."""
    # It leaves a folder where it runs.
    command = [sys.executable, "-m", "schemathesis.cli", "run"]
    command += [f"{demo.url}/api/v1/openapi.json", "--checks", "all"]
    command += ["--seed", str(seed), "--max-examples", str(most), "--no-color"]
    command += ["--phases", phases]

    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout
    assert "Selected: 29/29" in done.stdout


def test_a_registry_that_is_down_is_a_warning_with_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    config = tmp_path / "weighbridge.yaml"
    config.write_text(f"registries: [{{name: near, url: 'http://127.0.0.1:{port}'}}]")
    running = start(tmp_path, "--database", str(tmp_path / "w.db"))
    try:
        wait_in_thread(
            lambda: '"level": "warning"' in running.said,
            "it warns",
            seen=running.errors.read_text,
        )
    finally:
        running.process.kill()
        running.process.wait()

    (line,) = [json.loads(t) for t in running.said.splitlines() if '"warning"' in t]
    assert line["event"].startswith("the registry could not be read to its end")
    assert line["registry"] == "near"
    assert line["why"] == f"http://127.0.0.1:{port}: nothing listens there"


def test_it_ends_at_sigterm_and_leaves_nothing_behind(demo: Running) -> None:
    """The last that needs the demo."""
    demo.process.send_signal(signal.SIGTERM)

    assert demo.process.wait(60) == 0, demo.said
    assert "Traceback" not in demo.said
    assert [p.name for p in demo.errors.parent.iterdir()] == ["stderr"]


def test_it_says_where_it_serves_when_it_does(tmp_path: Path) -> None:
    running = start(tmp_path, "--database", "w.db")
    try:
        running.wait_until_ready()

        assert running.said.splitlines()[:3] == [
            "keeps   sqlite:///w.db",
            "crawls  nothing: add registries to weighbridge.yaml, or try --demo",
            f"serves  {running.url}",
        ]
    finally:
        running.process.kill()
        running.process.wait()


def test_ctrl_c_ends_it_with_130(tmp_path: Path) -> None:
    running = start(tmp_path, "--database", f"sqlite:///{tmp_path / 'w.db'}")
    try:
        running.wait_until_ready()

        running.process.send_signal(signal.SIGINT)

        assert running.process.wait(60) == 130, running.said
        assert "Traceback" not in running.said
    finally:
        running.process.kill()
        running.process.wait()


def test_a_kept_demo_is_one_whole_file_and_not_lived_through_twice(
    tmp_path: Path,
) -> None:
    said = []
    for _ in range(2):
        running = start(
            tmp_path, "--demo", "--database", f"sqlite:///{tmp_path / 'w.db'}"
        )
        try:
            running.wait_until_ready()
            said.append(running.said)

            running.process.send_signal(signal.SIGTERM)

            assert running.process.wait(60) == 0, running.said
            # What is still in a write-ahead log would be missing from a copy.
            assert sorted(p.name for p in tmp_path.iterdir()) == ["stderr", "w.db"]
        finally:
            running.process.kill()
            running.process.wait()

    assert "as of 2025-11-18" in said[0]
    assert "as of 2025-11-18" not in said[1]
    assert "weighbridge inspect 127.0.0.1:" in said[1]
