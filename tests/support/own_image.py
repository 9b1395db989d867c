"""The file system of our own image, assembled and run as a container would run it.

No engine is needed: a mount namespace makes it read only, chroot enters it as the
image's user. Only its network is the machine's.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import pytest

from support.dockerfile import Stage, stages_of
from support.missing import skip_or_fail

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = Path("/usr/bin/python3.13")
USER: Final = 65532
_NO_DOWNLOAD: Final = 3
_GRACE_S: Final = 35.0
_TOOLS: Final = ("apt-get", "dpkg-deb", "readelf", "strip", "unshare", "chroot")

Variant: TypeAlias = Literal["full", "embedded"]

# What an engine does before it starts the program: $1 is the root, $2 the volume.
_AS_AN_ENGINE: Final = """
root=$1 data=$2
shift 2
mount --bind "$root" "$root"
mount -o remount,ro,bind "$root"
mount -t tmpfs none "$root/tmp"
mount --bind "$data" "$root/data"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
exec env -i {environment} "$(command -v chroot)" --userspec=65532:65532 "$root" "$@"
"""


@dataclass(frozen=True, slots=True)
class OwnImage:
    """An assembled root file system.

    data: the folder that is its volume
    said: what `rootfs` printed: digest and bytes
    """

    root: Path
    data: Path
    said: str

    @property
    def digest(self) -> str:
        return self.said.split()[0]

    def command(self, *program: str) -> list[str]:
        # An engine hands nothing on of its own environment.
        variables = (
            shlex.quote(f"{k}={v}") for k, v in last_stage().pairs("ENV").items()
        )
        script = _AS_AN_ENGINE.format(environment=" ".join(variables))
        paths = (str(self.root), str(self.data))
        return ["unshare", "--mount", "sh", "-ec", script, "-", *paths, *program]

    def weighbridge(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The image's entry point with these arguments."""
        return self.run(*last_stage().words("ENTRYPOINT"), *arguments)

    def python(self, program: str) -> str:
        """What a Python program prints in it."""
        done = self.run(str(PYTHON), "-IP", "-c", program)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def run(self, *program: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*program),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def running(
        self, *arguments: str, said: Path
    ) -> "Iterator[subprocess.Popen[bytes]]":
        """The entry point with these arguments, until the block ends by SIGTERM, as
        `docker stop` does it."""
        entry = last_stage().words("ENTRYPOINT")
        with said.open("wb") as stream:
            process = subprocess.Popen(
                self.command(*entry, *arguments),
                stdout=stream,
                stderr=stream,
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def last_stage() -> Stage:
    return stages_of((ROOT / "Dockerfile").read_text())[-1]


@contextmanager
def _alone(shared: Path) -> Iterator[None]:
    """One process of a test run at a time: they share what was downloaded."""
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """One for all processes of this test run."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "own-image"
    folder.mkdir(exist_ok=True)
    return folder


def assembled(variant: Variant, shared: Path, data: Path) -> OwnImage:
    """The image of this tree, made once in a test run.

    data: an empty folder, which becomes its volume
    """
    _need_tools()
    os.chown(data, USER, USER)
    root, said = shared / variant, shared / f"{variant}.said"
    with _alone(shared):
        if not said.exists():
            # What somebody left who was stopped half-way.
            shutil.rmtree(root, ignore_errors=True)
            said.write_text(assemble(variant, root, shared / "downloads"))
    return OwnImage(root, data, said.read_text())


def assemble(variant: Variant, root: Path, cache: Path) -> str:
    """Run `deploy/image/rootfs`; what it says.

    Skips the test where nothing can be downloaded; fails there in CI.
    """
    script = str(ROOT / "deploy/image/rootfs")
    options = ["--embedded"] if variant == "embedded" else []
    done = subprocess.run(
        [script, *options, "--cache", str(cache), str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == _NO_DOWNLOAD:
        skip_or_fail(f"what the image is made of cannot be had:\n{done.stderr}")
    if done.returncode:
        pytest.fail(done.stderr)
    sys.stderr.write(f"{variant}: {done.stdout}")
    return done.stdout


def packed(image: OwnImage, layout: Path, tag: str) -> str:
    """The image as an OCI layout; how skopeo calls it."""
    if shutil.which("skopeo") is None:
        skip_or_fail("skopeo is not installed: run scripts/servers")
    script = str(ROOT / "deploy/image/pack")
    subprocess.run([script, str(image.root), str(layout), tag], check=True)
    return f"oci:{layout}:{tag}"


def _need_tools() -> None:
    if os.geteuid() != 0:
        skip_or_fail("assembling and running a root file system needs root")
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if not PYTHON.exists():
        missing.append("python3.13-venv")
    if missing:
        skip_or_fail(f"not installed: {', '.join(missing)}")
