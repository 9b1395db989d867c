"""As much of a cluster as our manifests need: objects, and Pods that a kubelet runs."""

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.kubelet import Pod
from support.manifests import Manifests, Object
from support.wait import wait_in_thread

_PATIENCE_S = 180.0


@dataclass(slots=True)
class Cluster:
    """Where manifests are applied; everything that runs ends with `a_cluster_of`."""

    folder: Path
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    started: int = 0

    def apply(self, manifests: Manifests) -> None:
        """Keep the objects, bring files up to date, start what is new. Pods whose
        template has changed would be replaced: that is not done here, but refused."""
        for thing in manifests.objects:
            self.objects[thing["kind"], thing["metadata"]["name"]] = thing
        for name, thing in manifests.workloads().items():
            for number in range(thing["spec"].get("replicas", 1)):
                self._apply_pod(f"{name}-{number}", thing["spec"]["template"]["spec"])

    def _apply_pod(self, name: str, spec: Object) -> None:
        if (running := self.pods.get(name)) is not None:
            assert running.spec == spec, f"{name} would be replaced"
            running.update_volumes()
            return
        self.started += 1
        folder = self.folder / f"{name}-{self.started}"
        folder.mkdir(parents=True)
        # A volume outlives its Pods.
        volume = self.folder / "claims" / name
        pod = self.pods[name] = Pod(name, spec, folder, self._files, volume)
        pod.start()

    def of(self, workload: str) -> list[Pod]:
        return [pod for name, pod in self.pods.items() if name.startswith(workload)]

    def delete(self, *pods: Pod) -> None:
        """End them together, and wait until they are gone."""
        for pod in pods:
            pod.begin_end()
        for pod in pods:
            pod.wait()
            del self.pods[pod.name]

    def wait_until_ready(self) -> float:
        """Until all are ready and all Jobs complete; the seconds that it took."""
        begun = time.monotonic()

        def is_ready() -> bool:
            return all(pod.is_ready or pod.is_complete for pod in self.pods.values())

        wait_in_thread(
            is_ready, "all are ready", deadline_s=_PATIENCE_S, seen=self.said
        )
        return time.monotonic() - begun

    def said(self) -> Mapping[str, object]:
        """How all of them are, with the end of what they printed."""
        return {
            name: (pod.is_ready, pod.exit_codes, pod.log[-1500:])
            for name, pod in self.pods.items()
        }

    def _files(self, volume: Object) -> Mapping[str, str]:
        if (source := volume.get("configMap")) is not None:
            data: Mapping[str, str] = self.objects["ConfigMap", source["name"]]["data"]
            return data
        source = volume["secret"]
        kept = self.objects.get(("Secret", source["secretName"]))
        if kept is None:
            assert source.get("optional"), f"there is no secret {source['secretName']}"
            return {}
        encoded: Mapping[str, str] = kept.get("data", {})
        decoded = {n: base64.b64decode(t).decode() for n, t in encoded.items()}
        return decoded


@contextmanager
def a_cluster_of_pods(folder: Path) -> Iterator[Cluster]:
    """An empty one; what runs in it is ended with the block."""
    cluster = Cluster(folder)
    try:
        yield cluster
    finally:
        cluster.delete(*cluster.pods.values())
