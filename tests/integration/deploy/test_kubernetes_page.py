"""The page on Kubernetes, as somebody reads it who types what it says."""

import re
from pathlib import Path
from typing import Final

from support.kubernetes_page import Reader, a_reader
from support.manifests import Manifests

OWN: Final = "# weighing/kustomization.yaml"
NAMED: Final = re.compile(r"\b(statefulset|deployment|job|service)/([\w-]+)")


def follow(reader: Reader) -> tuple[Manifests, Manifests]:
    """Every block in its order; what is rendered with one process, and with several."""
    place = reader.folder / "weighing/kustomization.yaml"
    embedded: Manifests | None = None
    for kind, text in reader.all_blocks():
        if kind == "yaml" and text.startswith(OWN):
            kept = place.read_text() if text.startswith(f"{OWN}, more") else ""
            place.write_text(kept + text)
        for line in text.splitlines() if kind == "console" else ():
            command = line.removeprefix("$ ")
            if "database-url" in command and embedded is None:
                embedded = reader.rendered()
                several = place.read_text().replace("/embedded", "/distributed")
                place.write_text(several)
            if "config.json" in command:
                # What `docker login` has written.
                (place.parent / "config.json").write_text('{"auths": {}}')
            # The service is asked where there is one: test_kubernetes_running.py.
            if not command.startswith("curl "):
                reader.run(command)
    assert embedded is not None
    return embedded, reader.rendered()


def test_every_command_can_be_typed_and_names_what_there_is(tmp_path: Path) -> None:
    reader = a_reader(tmp_path)

    embedded, distributed = follow(reader)

    there = {
        (thing["kind"].lower(), thing["metadata"]["name"])
        for manifests in (embedded, distributed)
        for thing in manifests.objects
    }
    named = set(NAMED.findall(reader.noted()))
    assert len(named) >= 6
    assert named <= there
    # Of a StatefulSet the first Pod.
    assert "exec weighbridge-0 -- weighbridge" in reader.noted()
    assert distributed.of("Deployment")["weighbridge-worker"]["spec"]["replicas"] == 4
    assert distributed.of("PrometheusRule")
