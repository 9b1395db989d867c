"""Images built by buildah, and pushed by skopeo."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.missing import skip_or_fail


@dataclass(frozen=True, slots=True)
class Buildah:
    """buildah with storage of its own, as far as it can be had here."""

    folder: Path

    def __post_init__(self) -> None:
        missing = [p for p in ("buildah", "skopeo") if not shutil.which(p)]
        if missing:
            skip_or_fail(f"not installed: {missing}")
        if os.geteuid() != 0:
            pytest.skip("buildah's chroot isolation needs root")

    def build(self, name: str, dockerfile: str, files: Mapping[str, bytes]) -> None:
        """An image whose layers are kept for the next one, as a real builder does."""
        context = self.folder / f"context-{name}"
        context.mkdir(parents=True)
        for path, content in files.items():
            (context / path).write_bytes(content)
            # What is copied again is the same layer: its time is part of it.
            os.utime(context / path, (1_700_000_000, 1_700_000_000))
        (context / "Dockerfile").write_text(dockerfile)
        self._buildah(
            "build",
            *("--layers", "--isolation=chroot", "--timestamp=1700000000"),
            f"--tag={name}",
            str(context),
        )

    def push(self, name: str, target: str) -> None:
        """To a registry in the clear; `target` is host:port/repository:tag."""
        layout = f"oci:{self.folder / f'oci-{name}'}:it"
        self._buildah("push", "--quiet", name, layout)
        _run(
            [
                *("skopeo", "--insecure-policy", "copy", "--quiet"),
                *("--dest-tls-verify=false", layout, f"docker://{target}"),
            ]
        )

    def _buildah(self, *arguments: str) -> None:
        _run(
            [
                "buildah",
                f"--root={self.folder / 'root'}",
                f"--runroot={self.folder / 'run'}",
                "--storage-driver=vfs",
                *arguments,
            ]
        )


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, (command, done.stderr)
