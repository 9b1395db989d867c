"""Pods as processes of this machine, started, probed and ended as a kubelet does it.

Of a container the arguments, the environment, the files of its volumes, the probes, the
hook before its end and the grace are obeyed. Paths of mounts are mapped below a folder,
and each Pod has a port of its own, since all have one address. What an engine does (the
user, a root that is read only, limits of memory) is held by the tests of the image.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import httpx

from support.guarded_registry import a_free_port
from support.manifests import Object
from support.own_image import last_stage
from support.serving import PLAIN

_LOOK_S: Final = 0.05
BACK_OFF_S: Final = 1.0
"""A kubelet waits ten seconds before the second start, and longer before later ones."""
Probed = Literal["startupProbe", "livenessProbe", "readinessProbe"]


def write_volume(folder: Path, files: Mapping[str, str]) -> None:
    """The files of a volume, replaced at once, as a kubelet does it: by a link to a new
    folder, through which all of them are read."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"..{time.monotonic_ns()}"
    fresh.mkdir()
    for name, text in files.items():
        (fresh / name).write_text(text)
    link = folder / "..data_tmp"
    link.symlink_to(fresh.name)
    link.rename(folder / "..data")
    for name in files.keys() - {path.name for path in folder.iterdir()}:
        (folder / name).symlink_to(f"..data/{name}")
    for path in folder.iterdir():
        if not path.name.startswith("..") and path.name not in files:
            path.unlink()


@dataclass(slots=True)
class Probe:
    """One that is asked every few seconds; how often it failed in a row is counted."""

    spec: Object
    url: str
    next_at: float = 0.0
    failures: int = 0
    has_ever_failed: bool = False

    @property
    def is_over(self) -> bool:
        return self.failures >= int(self.spec.get("failureThreshold", 3))

    def is_due(self) -> bool:
        if time.monotonic() < self.next_at:
            return False
        self.next_at = time.monotonic() + float(self.spec.get("periodSeconds", 10))
        return True

    def ask(self) -> bool:
        """Whether it was good, as a kubelet judges."""
        within = float(self.spec.get("timeoutSeconds", 1))
        try:
            answer = httpx.get(self.url, timeout=within, trust_env=False, verify=PLAIN)
            is_good = 200 <= answer.status_code < 400
        except httpx.TransportError:
            is_good = False
        self.failures = 0 if is_good else self.failures + 1
        self.has_ever_failed = self.has_ever_failed or not is_good
        return is_good


@dataclass(slots=True)
class Pod:
    """One Pod, on a thread that looks after it until `end`.

    files:  the contents of a volume, by its specification
    volume: where the volume of a claim is; it outlives the Pod
    """

    name: str
    spec: Object
    folder: Path
    files: Callable[[Object], Mapping[str, str]]
    volume: Path
    port: int = field(default_factory=a_free_port)
    is_ready: bool = False
    is_complete: bool = False
    was_killed: bool = False
    exit_codes: list[int] = field(default_factory=list)
    liveness_restarts: int = 0
    probes: dict[str, Probe] = field(default_factory=dict)
    ready_after_s: float | None = None
    _process: "subprocess.Popen[bytes] | None" = None
    _is_ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._look_after, name=self.name)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def restarts(self) -> int:
        return len(self.exit_codes)

    def begin_end(self) -> None:
        """What deleting it begins; `wait` waits for it."""
        self._is_ending.set()

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def update_volumes(self) -> None:
        """Files as their ConfigMaps and Secrets are now."""
        for volume in self.spec["volumes"]:
            if "emptyDir" not in volume:
                text = self.files(volume)
                write_volume(self._of(volume["name"]), self._mapped(volume, text))

    def exec(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """`weighbridge ...` in its container, as `kubectl exec` starts it."""
        (container,) = self.spec["containers"]
        return subprocess.run(
            self._command(container, arguments),
            env=self._environment(container),
            cwd=self._root(container),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def _look_after(self) -> None:
        begun = time.monotonic()
        for volume in self.spec["volumes"]:
            self._of(volume["name"]).mkdir(parents=True, exist_ok=True)
        self.volume.mkdir(parents=True, exist_ok=True)
        self.update_volumes()
        before = self.spec.get("initContainers", [])
        # All at once: a configuration names the places of the last one.
        for container in (*before, *self.spec["containers"]):
            self._mount(container)
        for container in before:
            self._run_to_its_end(container)
        (container,) = self.spec["containers"]
        if self.spec.get("restartPolicy") == "OnFailure":
            self._run_to_its_end(container)
            self.is_complete = not self._is_ending.is_set()
            return
        while not self._is_ending.is_set():
            self._run(container, begun)

    def _run_to_its_end(self, container: Object) -> None:
        while not self._is_ending.is_set():
            process = self._started(container)
            if (code := process.wait()) == 0:
                return
            self.exit_codes.append(code)
            self._is_ending.wait(BACK_OFF_S)

    def _run(self, container: Object, begun: float) -> None:
        """Until it ends, or is ended."""
        process = self._process = self._started(container)
        kinds: tuple[Probed, ...] = ("startupProbe", "livenessProbe", "readinessProbe")
        self.probes = {
            kind: Probe(container[kind], self.url + container[kind]["httpGet"]["path"])
            for kind in kinds
            if kind in container
        }
        is_started = "startupProbe" not in self.probes
        while process.poll() is None and not self._is_ending.wait(_LOOK_S):
            if not is_started:
                is_started = self._has_started(process)
                continue
            self._check_liveness(process)
            self._check_readiness()
            if self.is_ready and self.ready_after_s is None:
                self.ready_after_s = time.monotonic() - begun
        self.is_ready = False
        if process.poll() is None:
            self._end(container, process)
            return
        self.exit_codes.append(process.returncode)
        self._is_ending.wait(BACK_OFF_S)

    def _has_started(self, process: "subprocess.Popen[bytes]") -> bool:
        probe = self.probes["startupProbe"]
        if probe.is_due() and probe.ask():
            return True
        if probe.is_over:
            process.kill()
        return False

    def _check_liveness(self, process: "subprocess.Popen[bytes]") -> None:
        probe = self.probes.get("livenessProbe")
        if probe is not None and probe.is_due():
            probe.ask()
            if probe.is_over:
                self.liveness_restarts += 1
                process.terminate()
                process.wait(self.spec["terminationGracePeriodSeconds"])

    def _check_readiness(self) -> None:
        probe = self.probes.get("readinessProbe")
        if probe is None:
            self.is_ready = True
        elif probe.is_due():
            if probe.ask():
                self.is_ready = True
            elif probe.is_over:
                self.is_ready = False

    def _end(self, container: Object, process: "subprocess.Popen[bytes]") -> None:
        """The hook first; the grace counts from its beginning."""
        ends_at = time.monotonic() + self.spec["terminationGracePeriodSeconds"]
        hook = container.get("lifecycle", {}).get("preStop", {"sleep": {"seconds": 0}})
        time.sleep(hook["sleep"]["seconds"])
        process.terminate()
        try:
            self.exit_codes.append(process.wait(ends_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.was_killed = True
            os.killpg(process.pid, signal.SIGKILL)
            self.exit_codes.append(process.wait())

    def _mount(self, container: Object) -> None:
        for mount in container["volumeMounts"]:
            target = self._root(container) / mount["mountPath"].lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(self._of(mount["name"]))

    def _started(self, container: Object) -> "subprocess.Popen[bytes]":
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                self._command(container, container["args"]),
                env=self._environment(container),
                cwd=self._root(container),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _command(
        self, container: Object, arguments: tuple[str, ...] | list[str]
    ) -> list[str]:
        # The image's entry point.
        assert last_stage().words("ENTRYPOINT") == ["/usr/bin/weighbridge"]
        words = [self._inside(container, word) for word in arguments]
        return [sys.executable, "-m", "weighbridge", *words]

    def _environment(self, container: Object) -> dict[str, str]:
        """The image's, then the container's; nothing of ours but where programs are."""
        given = last_stage().pairs("ENV")
        given |= {e["name"]: e["value"] for e in container.get("env", [])}
        mapped = {name: self._inside(container, text) for name, text in given.items()}
        bind = f"0.0.0.0:{self.port}"
        return mapped | {"PATH": os.environ["PATH"], "WEIGHBRIDGE_BIND": bind}

    def _root(self, container: Object) -> Path:
        return self.folder / "roots" / str(container["name"])

    def _of(self, volume: str) -> Path:
        """Where a volume of this name is, of the Pod or of the claim."""
        names = {v["name"] for v in self.spec["volumes"]}
        return self.folder / "volumes" / volume if volume in names else self.volume

    def _mapped(self, volume: Object, files: Mapping[str, str]) -> Mapping[str, str]:
        """Paths of mounts in a configuration, as processes find them here."""
        if "configMap" not in volume:
            return files
        (container,) = self.spec["containers"]
        return {name: self._inside(container, text) for name, text in files.items()}

    def _inside(self, container: Object, text: str) -> str:
        targets = "|".join(re.escape(m["mountPath"]) for m in container["volumeMounts"])
        root = str(self._root(container))
        return re.sub(rf"(?<![\w./-])({targets})(?![\w.-])", rf"{root}\1", text)
