"""A registry whose documents are as large as ours reads, made up as they are asked for;
and the memory that a command of ours takes with it."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from support.images import (
    GZIP_LAYER,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Served,
    a_digest,
    descriptor_json,
)
from weighbridge.domain import limits

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: body, media type, and the target of `Link: next` or ""."""

    raw: bytes
    media_type: str = "application/json"
    following: str = ""


Answering = Callable[[str], Told | None]
"""From a request's target to the answer; None: 404."""


@contextmanager
def heavy_registry(answer: Answering) -> Iterator[str]:
    """Its address, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told = answer(self.path)
            self.send_response(404 if told is None else 200)
            raw = b"{}" if told is None else told.raw
            self.send_header("Content-Length", str(len(raw)))
            if told is not None:
                self.send_header("Content-Type", told.media_type)
                if told.following:
                    self.send_header("Link", f'<{told.following}>; rel="next"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(raw)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # A client that has read enough hangs up.

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True, slots=True)
class Run:
    """How a command of ours ended, and the most memory that it had."""

    code: int
    printed: str
    peak_bytes: int


_RUN: Final = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "weighbridge", *sys.argv[1:]])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
print(f"peak {done.returncode} {peak}", file=sys.stderr)
"""


def measured(folder: Path, *arguments: str) -> Run:
    """Run `weighbridge` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1_800,
    )
    *before, last = done.stderr.strip().splitlines()
    word, code, peak = last.split()
    assert word == "peak", done.stderr[-2_000:]
    return Run(int(code), done.stdout + "\n".join(before), int(peak))


def annotated_index(children: int) -> Answering:
    """`app:1`, an index whose children carry 128 annotations of 8 kB on themselves and
    on their config's descriptor: 2 MB each, of which nothing is read."""
    notes = {f"{n:04}" + "k" * 4_092: "x" * 4_096 for n in range(128)}
    config = Served(
        json.dumps(
            {
                "os": "linux",
                "architecture": "amd64",
                "rootfs": {"type": "layers", "diff_ids": [a_digest("d")]},
            }
        ).encode(),
        OCI_CONFIG,
    )

    @lru_cache(maxsize=None if children < 100 else 64)
    def child(number: int) -> Served:
        layer = {"mediaType": GZIP_LAYER, "digest": a_digest(number), "size": 1000}
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor_json(config) | {"annotations": notes},
            "layers": [layer],
            "annotations": notes,
        }
        return Served(json.dumps(document).encode(), OCI_MANIFEST)

    numbers: dict[str, int] = {}
    entries: list[object] = []
    for number in range(children):
        made = child(number)
        numbers[made.digest] = number
        entries.append(
            descriptor_json(made)
            | {"platform": {"os": "linux", "architecture": f"cpu{number}"}}
        )
    index = json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    ).encode()

    def answer(target: str) -> Told | None:
        name = target.rsplit("/", 1)[-1]
        if (listing := _listing(target, ["1"])) is not None:
            return listing
        if name == "1":
            return Told(index, OCI_INDEX)
        if name in numbers:
            return Told(child(numbers[name]).raw, OCI_MANIFEST)
        return Told(config.raw) if name == config.digest else None

    return answer


def largest_documents(tags: int) -> Answering:
    """`app` with tags that each have a manifest and a config of 4 MiB, full of what is
    read: 4,096 layers with long media types, 500 lines of 8 kB."""

    @lru_cache(maxsize=4)
    def config(number: int) -> Served:
        history = [
            {"created_by": f"RUN {number} {n} " + "y" * 8_000} for n in range(520)
        ]
        document: dict[str, object] = {
            "os": "linux",
            "architecture": "amd64",
            "rootfs": {"diff_ids": []},
            "history": history,
        }
        return _padded(document, limits.CONFIG_BODY_BYTES, OCI_CONFIG)

    @lru_cache(maxsize=4)
    def manifest(number: int) -> Served:
        layers = [
            {
                "mediaType": f"{GZIP_LAYER}+{number}.{n}." + "z" * 180,
                "digest": a_digest((number, n)),
                "size": 1000,
            }
            for n in range(limits.LAYERS)
        ]
        document: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor_json(config(number)),
            "layers": layers,
        }
        return _padded(document, limits.MANIFEST_BODY_BYTES, OCI_MANIFEST)

    configs = {str(config(number).digest): number for number in range(tags)}

    def answer(target: str) -> Told | None:
        name = target.rsplit("/", 1)[-1]
        tag_names = [str(number) for number in range(tags)]
        if (listing := _listing(target, tag_names)) is not None:
            return listing
        if name in configs:
            return Told(config(configs[name]).raw)
        return Told(manifest(int(name)).raw, OCI_MANIFEST) if name.isdigit() else None

    return answer


def long_catalog(names: int) -> Answering:
    """A catalog of names of 255 characters, 30,000 a page."""

    def answer(target: str) -> Told | None:
        path, _, query = target.partition("?")
        if path == "/v2/":
            return Told(b"{}")
        if path != "/v2/_catalog":
            return None
        first = int(query.rpartition("last=")[2] or 0) if "last=" in query else 0
        last = min(first + 30_000, names)
        page = [f"team{n:09}/" + "r" * 241 for n in range(first, last)]
        following = f"/v2/_catalog?last={last}" if last < names else ""
        return Told(json.dumps({"repositories": page}).encode(), following=following)

    return answer


def _listing(target: str, tags: list[str]) -> Told | None:
    path = target.partition("?")[0]
    if path == "/v2/":
        return Told(b"{}")
    if path == "/v2/_catalog":
        return Told(b'{"repositories": ["app"]}')
    if path == "/v2/app/tags/list":
        return Told(json.dumps({"name": "app", "tags": tags}).encode())
    return None


def _padded(document: Mapping[str, object], size: int, media_type: str) -> Served:
    short = len(json.dumps({**document, "pad": ""}))
    return Served(
        json.dumps({**document, "pad": "p" * (size - short)}).encode(), media_type
    )
