"""Our own image, run as an engine would run it: as its user, on a read-only root."""

import json
import re
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from support.guarded_registry import a_free_port
from support.own_image import USER, OwnImage, last_stage
from support.page_examples import blocks_of
from support.serving import PLAIN
from support.wait import wait_in_thread

READY_S: Final = 60.0
"""Far above what it takes: the machine may be busy."""


def test_it_shows_its_help_and_version(image: OwnImage) -> None:
    assert "weighbridge up --demo" in image.weighbridge("--help").stdout
    assert image.weighbridge("--version").stdout.startswith("weighbridge 0.")


def test_it_knows_its_user_and_the_authorities(full: OwnImage) -> None:
    program = (
        "import os, pwd, ssl, sys;"
        "print(pwd.getpwuid(os.getuid()).pw_name, os.getgid(),"
        "ssl.create_default_context().cert_store_stats()['x509_ca'] > 100,"
        "sys.flags.isolated, sys.getfilesystemencoding())"
    )

    assert full.python(program) == "weighbridge 65532 True 1 utf-8"


def test_every_module_of_ours_can_be_imported(full: OwnImage) -> None:
    program = (
        "import importlib, pkgutil, weighbridge\n"
        "found = pkgutil.walk_packages(weighbridge.__path__, 'weighbridge.')\n"
        "names = {m.name for m in found if '.migrations.' not in m.name}\n"
        "for name in sorted(names - {'weighbridge.__main__'}):\n"
        "    importlib.import_module(name)\n"
        "print(len(names))"
    )

    assert int(full.python(program)) > 150


def test_it_does_not_open_itself_to_others_unasked(full: OwnImage) -> None:
    done = full.weighbridge(*last_stage().words("CMD"))

    assert done.returncode == 2
    assert "anonymous_read" in done.stderr


def test_results_are_kept_in_data(full: OwnImage) -> None:
    done = full.weighbridge("db", "upgrade")

    assert done.returncode == 0, done.stderr
    assert (full.data / "weighbridge.db").stat().st_uid == USER


def test_a_token_is_made_as_the_page_says(full: OwnImage) -> None:
    (block,) = [b for b in blocks_of("deploying/image.md") if "token create" in b.text]
    words = shlex.split(block.text.splitlines()[0])

    done = full.weighbridge(*words[words.index("token") :])

    assert done.returncode == 0, done.stderr
    assert "wbr_" in done.stdout


@contextmanager
def serving(image: OwnImage, said: Path, *arguments: str) -> Iterator[str]:
    """Its URL once it is ready; ends with 0 by SIGTERM."""
    bind = f"127.0.0.1:{a_free_port()}"
    url = f"http://{bind}"

    def is_ready() -> bool:
        assert process.poll() is None, said.read_text()
        try:
            return (
                httpx.get(f"{url}/readyz", trust_env=False, verify=PLAIN).status_code
                == 200
            )
        except httpx.TransportError:
            return False

    begun = time.monotonic()
    with image.running(*arguments, "--bind", bind, said=said) as process:
        wait_in_thread(is_ready, "it is ready", deadline_s=READY_S, seen=said.read_text)
        seconds = time.monotonic() - begun
        sys.stderr.write(f"{' '.join(arguments)}: ready in {seconds:.1f} s\n")
        yield url
    assert process.returncode == 0, said.read_text()


def test_it_serves_and_crawls_the_demo(image: OwnImage, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with serving(image, said, "up", "--demo") as url:
        health = image.weighbridge("health", "--url", url)
        demo = re.findall(r"weighbridge inspect (\S+)/tutorial", said.read_text())[0]
        asked = image.weighbridge("inspect", f"{demo}/tutorial/hello", "-o", "json")
        keep = ("--database", "/data/demo.db")
        crawled = image.weighbridge("crawl", demo, *keep, "-o", "json")
        page = httpx.get(f"{url}/", trust_env=False, verify=PLAIN).text

    assert health.stdout == f"alive: {url}\n"
    assert image.weighbridge("health", "--url", url).returncode == 1
    (weighed,) = json.loads(asked.stdout)["images"]
    assert round(weighed["uncompressed_bytes"] / 1e6) == 937
    report = json.loads(crawled.stdout)
    assert (report["repositories"], report["errors"]) == (14, [])
    assert "torch==1.13.1" in page


def test_it_serves_what_it_keeps_in_data(full: OwnImage, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with serving(full, said, "up") as url:
        metrics = httpx.get(f"{url}/metrics", trust_env=False, verify=PLAIN).text

    assert "weighbridge_build_info" in metrics
    assert "keeps   sqlite:////data/weighbridge.db" in said.read_text()
