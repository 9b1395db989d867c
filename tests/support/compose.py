"""Compose files as Debian's docker-compose understands them; no engine is asked."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from support.missing import skip_or_fail

COMPOSE: Final = Path(__file__).parents[2] / "deploy" / "compose"


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the tree, and where a container sees it."""

    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Compose:
    """A whole file: anchors merged, defaults filled in, paths absolute."""

    # The keys are those of the compose specification, whose values differ by key.
    document: dict[str, Any]

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.document["services"]
        return found

    @property
    def own(self) -> dict[str, dict[str, Any]]:
        """The services of our own image."""
        return {
            name: service
            for name, service in self.services.items()
            if service["image"].startswith("weighbridge:")
        }

    def mounts(self, service: str) -> list[Mount]:
        """What it is given of the tree."""
        return [
            Mount(Path(v["source"]), v["target"], v.get("read_only", False))
            for v in self.services[service].get("volumes", [])
            if v["type"] == "bind"
        ]

    def published(self) -> dict[str, list[tuple[str, str, int]]]:
        """Address, port and the container's port, by service."""
        return {
            name: [(p["host_ip"], p["published"], p["target"]) for p in ports]
            for name, service in self.services.items()
            if (ports := service.get("ports"))
        }


def compose(name: str) -> Compose:
    """`docker-compose config` of one of ours. Skips where it is not installed."""
    program = shutil.which("docker-compose")
    if program is None:
        skip_or_fail("docker-compose is not installed: run scripts/servers")
    file = COMPOSE / name / "compose.yaml"
    done = subprocess.run(
        [program, "--file", str(file), "config", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return Compose(json.loads(done.stdout))


def as_mounted(mounts: list[Mount], folder: Path) -> Path:
    """Lay the mounted files below `folder` as the container has them."""
    for mount in mounts:
        target = folder / mount.target.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if mount.source.is_dir():
            shutil.copytree(mount.source, target)
        else:
            shutil.copyfile(mount.source, target)
    return folder
