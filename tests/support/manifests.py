"""The Kubernetes manifests as `kubectl kustomize` renders them; no cluster is asked."""

import functools
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from support.missing import skip_or_fail

KUBERNETES: Final = Path(__file__).parents[2] / "deploy" / "kubernetes"
Object: TypeAlias = dict[str, Any]
"""Of the API of Kubernetes, whose values differ by key."""
_WITH_PODS: Final = ("Deployment", "StatefulSet", "DaemonSet", "Job")


@dataclass(frozen=True, slots=True)
class Manifests:
    """All objects of one rendering, in their order."""

    objects: tuple[Object, ...]

    def of(self, kind: str) -> dict[str, Object]:
        """By name."""
        return {o["metadata"]["name"]: o for o in self.objects if o["kind"] == kind}

    def workloads(self) -> dict[str, Object]:
        """What has Pods, by name."""
        return {
            o["metadata"]["name"]: o for o in self.objects if o["kind"] in _WITH_PODS
        }

    def pods(self) -> dict[str, Object]:
        """The specification of the Pods of each workload."""
        return {
            name: o["spec"]["template"]["spec"] for name, o in self.workloads().items()
        }

    def containers(self) -> Iterator[tuple[str, Object]]:
        """All of them, those that come first too, each with a name that is unique."""
        for name, pod in self.pods().items():
            for container in (*pod.get("initContainers", []), *pod["containers"]):
                yield f"{name}/{container['name']}", container


def rendered(folder: Path) -> Manifests:
    """What is below `folder`. Skips where kubectl is not installed."""
    if shutil.which("kubectl") is None:
        skip_or_fail("kubectl is not installed: run scripts/servers")
    # As `kubectl apply --kustomize` renders it, which has no option for its loader.
    done = subprocess.run(
        ["kubectl", "kustomize", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", done.stderr
    # Kubernetes reads 0440 as an octal number, as YAML 1.1 does.
    return Manifests(tuple(yaml.safe_load_all(done.stdout)))


@functools.cache
def shipped(name: str) -> Manifests:
    """One of ours, `embedded` or `distributed`."""
    return rendered(KUBERNETES / name)
