"""What pages, API, metrics and commands say of a database."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx

from load.golden.plain import Plain
from support.serving import free_address, serving

_COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "top.txt": ("top", "--limit", "1000"),
    "top-exclusive.csv": ("top", "--by", "exclusive", "--limit", "1000", "-o", "csv"),
    "top-growth.txt": ("top", "--by", "growth", "-o", "markdown"),
    "violations.csv": ("violations", "--all", "--limit", "1000", "-o", "csv"),
    "verify.txt": ("db", "verify"),
}
_SORTED: Final = frozenset({"violations.csv"})
"""Newest first: by chance, where two came at once."""
_LISTS: Final[Mapping[str, str]] = {
    "registries": "/api/v1/registries",
    "repositories": "/api/v1/repositories?limit=1000",
    "by-exclusive": "/api/v1/repositories?limit=1000&sort=exclusive",
    "headroom": "/api/v1/headroom?limit=1000",
    "simulation": "/api/v1/simulation?max_compressed=300MB&limit=1000",
    "search": "/api/v1/search?q=alpine&limit=1000",
}
_UNORDERED: Final[Mapping[str, str]] = {
    "violations": "/api/v1/violations?limit=1000&state=all&all_tags=true",
    "crawls": "/api/v1/crawls?limit=1000",
    "disputes": "/api/v1/disputes?limit=1000",
    "notifications": "/api/v1/notifications",
}
_MEASURED: Final = re.compile("_age_|_duration_")
"""Series that differ from one moment to the next."""
_EVERY: Final = 12
"""Of so many repositories one is looked at with its tags and their images."""


def write_answers(config: Path, folder: Path, plain: Plain) -> None:
    """Of the database that is configured there; a file a question."""
    folder.mkdir(parents=True)
    for name, command in _COMMANDS.items():
        text = _printed(config, command)
        if name.endswith(".csv"):
            text = plain.csv(text)
        text = plain.text(text)
        if name in _SORTED:
            text = "".join(sorted(text.splitlines(keepends=True)))
        (folder / name).write_text(text, encoding="utf-8")
    with _served(config) as service:
        _write_lists(service, folder, plain)
        _write_some(service, folder, plain)
        metrics = service.text("/metrics/repositories")
        (folder / "metrics.txt").write_text(_plain_metrics(metrics, plain))


def _printed(config: Path, command: tuple[str, ...]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "weighbridge", *command, "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
        cwd=config.parent,
    )
    said = done.stderr if done.returncode else ""  # else how far it is
    return f"{done.stdout}{said}exit {done.returncode}\n"


@dataclass(frozen=True, slots=True)
class _Service:
    client: httpx.Client

    def text(self, path: str) -> str:
        answer = self.client.get(path)
        return f"{answer.text}\n" if answer.is_success else f"{answer.status_code}\n"

    def items(self, path: str) -> Iterator[Any]:
        """All pages of a list."""
        mark = "&" if "?" in path else "?"
        cursor: str | None = ""
        while cursor is not None:
            more = f"{mark}cursor={quote(cursor)}" if cursor else ""
            document = self.client.get(path + more).raise_for_status().json()
            yield from document.pop("items", [])
            cursor = document.pop("next_cursor", None)
            if cursor is None and document:
                yield document


@contextmanager
def _served(config: Path) -> Iterator[_Service]:
    address = free_address()
    command = [sys.executable, "-m", "weighbridge", "serve", "--bind", address]
    with (
        serving([*command, "--config", str(config)], config.parent, address, "/readyz"),
        httpx.Client(
            base_url=f"http://{address}", trust_env=False, timeout=60
        ) as client,
    ):
        yield _Service(client)


def _write_lists(service: _Service, folder: Path, plain: Plain) -> None:
    for name, path in {**_LISTS, **_UNORDERED}.items():
        lines = [plain.json(item) + "\n" for item in service.items(path)]
        if name in _UNORDERED:
            lines.sort()
        (folder / f"api-{name}.txt").write_text("".join(lines), encoding="utf-8")


def _write_some(service: _Service, folder: Path, plain: Plain) -> None:
    listed = service.items("/api/v1/repositories?limit=1000&sort=name&order=asc")
    names = [f"{item['registry']}/{item['repository']}" for item in listed]
    with (folder / "api-tags.txt").open("w", encoding="utf-8") as out:
        for name in names[::_EVERY]:
            ref = quote(name)
            out.write(f"# {name}\n")
            document = json.loads(service.text(f"/api/v1/repository?ref={ref}"))
            out.write(plain.json(document) + "\n")
            limits = json.loads(service.text(f"/api/v1/limits?ref={ref}"))
            out.write(plain.unordered(limits) + "\n")
            found = list(service.items(f"/api/v1/tags?ref={ref}&limit=1000"))
            out.writelines(plain.json(tag) + "\n" for tag in found)
            for tag in found[:3]:
                image = service.text(f"/api/v1/image?ref={ref}:{quote(tag['name'])}")
                out.write(plain.text(image))


def _plain_metrics(text: str, plain: Plain) -> str:
    """Sorted, since only the lines of one family have an order."""
    lines = [n for n in text.splitlines(keepends=True) if not _MEASURED.search(n)]
    return plain.text("".join(sorted(lines)))
