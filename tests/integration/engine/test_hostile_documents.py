"""Heavy images that hide in their documents, pushed by bytes to a real registry: the
gate refuses each, and a crawl finds it."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.docker_registry import docker_registry
from support.hostile_documents import ATTEMPTS, LIMIT, Shelf
from support.images_oci import Pusher
from weighbridge.cli.main import run

_CONFIG = """\
registries: [{{name: local, url: "{url}"}}]
policies: [{{name: small, max_compressed: {limit}, max_uncompressed: {limit}}}]
"""


@dataclass(frozen=True, slots=True)
class Court:
    """A registry that holds every attempt, and what a crawl of it found."""

    address: str
    violated: frozenset[str]
    not_whole: frozenset[str]


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    folder = tmp_path_factory.mktemp("hostile")
    with docker_registry(folder / "registry") as registry:
        with Pusher(registry.url) as pusher:
            for name, attempt in ATTEMPTS.items():
                attempt.build(Shelf(pusher, f"evil/{name}"))
        config = folder / "weighbridge.yaml"
        config.write_text(_CONFIG.format(url=registry.url, limit=LIMIT))
        yield _crawled(registry.address, config, folder)


def _crawled(address: str, config: Path, folder: Path) -> Court:
    # Printed to a file: a fixture of this scope cannot read what was printed.
    common = ["--config", str(config), "--database", f"sqlite:///{folder / 'w.db'}"]
    crawl = _printed(["crawl", *common, "-o", "json"], {0, 3})
    violations = _printed(["violations", *common, "-o", "json"], {0})
    report = json.loads(crawl)
    return Court(
        address,
        frozenset(item["repository"] for item in json.loads(violations)["items"]),
        frozenset(error["repository"] for error in report["errors"]),
    )


def _printed(arguments: list[str], codes: set[int]) -> str:
    made = io.StringIO()
    with redirect_stdout(made):
        assert run(arguments) in codes
    return made.getvalue()


@pytest.mark.parametrize("name", ATTEMPTS)
def test_the_gate_does_not_pass_a_heavy_image_that_hides(
    court: Court, name: str
) -> None:
    attempt = ATTEMPTS[name]

    check = ["check", f"{court.address}/evil/{name}:1", attempt.limit, LIMIT]

    assert run(check) == attempt.code
    assert run([*check, "--platform", "linux/amd64"]) in (1, 3)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_crawl_finds_a_heavy_image_that_hides(court: Court, name: str) -> None:
    repository = f"evil/{name}"

    if ATTEMPTS[name].opens:
        assert repository in court.violated
    else:
        assert repository in court.not_whole


def test_every_attempt_is_explained(court: Court) -> None:
    page = Path(__file__).parents[3] / "docs" / "hostile-documents.md"

    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", page.read_text(), re.MULTILINE)

    assert rows == list(ATTEMPTS)
