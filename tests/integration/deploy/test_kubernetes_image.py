"""The Pod of the embedded manifests in our own image, as an engine runs it: its user, a
root that is read only, and the volumes where the manifests have them."""

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Final

import httpx
import pytest

from support.guarded_registry import a_free_port
from support.kubelet import write_volume
from support.manifests import Object, shipped
from support.own_image import OwnImage, last_stage
from support.serving import PLAIN
from support.wait import wait_in_thread
from weighbridge.demo.http.server import RunningDemo
from weighbridge.demo.story import demo_content

TOKEN: Final = f"wbr_{base64.urlsafe_b64encode(b'1' * 32).decode().rstrip('=')}"
# What an engine does: $1 is the root; then source, target and "ro" or "rw" of each
# mount, up to "--".
AS_AN_ENGINE: Final = """
root=$1
shift
mount --bind "$root" "$root"
mount -t tmpfs none "$root/run"
mount -o remount,ro,bind "$root"
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    mount -o "remount,$3,bind" "$root$2"
    shift 3
done
shift
mount -o remount,ro "$root/run"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
exec setpriv --no-new-privs chroot --userspec=65532:65532 --groups=65532 "$root" "$@"
"""


def command(root: Path, container: Object, folder: Path) -> list[str]:
    mounts = [
        word
        for mount in container["volumeMounts"]
        for word in (
            str(folder / mount["name"]),
            mount["mountPath"],
            "ro" if mount.get("readOnly") else "rw",
        )
    ]
    entry = last_stage().words("ENTRYPOINT")
    return [
        *(
            "unshare",
            "--mount",
            "sh",
            "-ec",
            AS_AN_ENGINE,
            "-",
            str(root),
            *mounts,
            "--",
        ),
        *(*entry, *container["args"]),
    ]


def environment(container: Object, port: int) -> dict[str, str]:
    given = {e["name"]: e["value"] for e in container["env"]}
    return (
        last_stage().pairs("ENV")
        | given
        | {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "WEIGHBRIDGE_BIND": f"0.0.0.0:{port}",
        }
    )


def make_volumes(pod: Object, folder: Path, files: dict[str, dict[str, str]]) -> None:
    """With owners and modes as a kubelet sets them, which gives all to `fsGroup`."""
    group = pod["securityContext"]["fsGroup"]
    for volume in (*pod["volumes"], {"name": "data"}):
        place = folder / volume["name"]
        if "configMap" in volume or "secret" in volume:
            write_volume(place, files.get(volume["name"], {}))
            mode = volume.get("secret", {}).get("defaultMode", 0o644)
            for path in place.glob("..data/*"):
                os.chown(path, 0, group)
                path.chmod(mode)
        else:
            place.mkdir()
            os.chown(place, 0, group)
            place.chmod(0o2775)


@pytest.mark.long  # assembles the image; its parts have quick tests
def test_the_pod_runs_as_its_user_with_its_volumes(
    embedded: OwnImage, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    manifests = shipped("embedded")
    (pod,) = manifests.pods().values()
    demo = RunningDemo(demo_content())
    config = {
        "registries": [{"name": "near", "url": demo.url}],
        "policy_files": ["/run/weighbridge/policies/*.yaml"],
    }
    files = {
        "config": {"weighbridge.yaml": json.dumps(config)},
        "policies": manifests.of("ConfigMap")["weighbridge-policies"]["data"],
        "tokens": {"people": TOKEN},
    }
    make_volumes(pod, tmp_path, files)
    port, said = a_free_port(), tmp_path / "said"
    (first,), (last,) = pod["initContainers"], pod["containers"]

    accepted = subprocess.run(
        command(embedded.root, first, tmp_path),
        env=environment(first, port),
        capture_output=True,
        text=True,
        check=False,
    )
    assert accepted.returncode == 0, accepted.stderr
    assert accepted.stdout == "accepted: people (read)\n"
    with said.open("wb") as stream:
        process = subprocess.Popen(
            command(embedded.root, last, tmp_path),
            env=environment(last, port),
            stdout=stream,
            stderr=stream,
        )

    def is_crawled() -> bool:
        assert process.poll() is None, said.read_text()
        url = f"http://127.0.0.1:{port}/api/v1/registries"
        try:
            answer = httpx.get(url, auth=("me", TOKEN), trust_env=False, verify=PLAIN)
        except httpx.TransportError:
            return False
        return [item["tags"] for item in answer.json()["items"]] == [76]

    try:
        wait_in_thread(is_crawled, "it is crawled", deadline_s=90, seen=said.read_text)
        status = Path(f"/proc/{process.pid}/status").read_text()
    finally:
        process.terminate()
        code = process.wait(pod["terminationGracePeriodSeconds"])
        demo.close()

    assert code == 0, said.read_text()
    assert "\nUid:\t65532\t65532\t65532\t65532\n" in status
    assert "\nCapEff:\t0000000000000000\n" in status
    assert "\nNoNewPrivs:\t1\n" in status
    assert (tmp_path / "data/weighbridge.db").stat().st_uid == 65532
