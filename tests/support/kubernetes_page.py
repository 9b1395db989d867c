"""The commands of docs/deploying/kubernetes.md, run beside a stand-in for the cluster.

`kubectl` renders and makes secrets for real; what it would send to a cluster is kept.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from support.manifests import KUBERNETES, Manifests, Object, rendered

PAGE: Final = KUBERNETES.parents[1] / "docs/deploying/kubernetes.md"
_STAND_IN: Final = """#!/bin/sh
# What needs no cluster is done; what needs one is noted.
printf '%s\\n' "$*" >>"$NOTED"
case " $* " in
*" create secret "*) exec {kubectl} "$@" --dry-run=client --output yaml >"$MADE" ;;
esac
"""


@dataclass(slots=True)
class Reader:
    """Somebody who does what the page says, in a folder with a clone."""

    folder: Path
    shown: dict[str, str]

    def blocks(self, kind: str, heading: str) -> list[str]:
        """The blocks of this kind below a heading."""
        text = PAGE.read_text().split(f"# {heading}\n", 1)[1]
        section = re.split(r"(?m)^##+ ", text)[0]
        return re.findall(rf"(?ms)^```{kind}\n(.*?)^```", section)

    def all_blocks(self) -> list[tuple[str, str]]:
        """Kind and text of every block of the page, in their order."""
        return re.findall(r"(?ms)^```(\w+)\n(.*?)^```", PAGE.read_text())

    def noted(self) -> str:
        """What was asked of the cluster, a line a command."""
        return (self.folder / "noted").read_text()

    def write(self, heading: str, *, more: bool = False, **changes: str) -> None:
        """`kustomization.yaml` as it is shown, or what is added to it."""
        (text,) = self.blocks("yaml", heading)
        for old, new in changes.items():
            text = text.replace(old, new)
        place = self.folder / "weighing/kustomization.yaml"
        place.write_text(place.read_text() + text if more else text)

    def run(self, command: str, **replaced: str) -> str:
        """One command in the shell, and what it printed; raises where it failed."""
        for old, new in replaced.items():
            command = command.replace(self.shown[old], new)
        functions = self.folder / "functions"
        done = subprocess.run(
            ["sh", "-ec", f". ./functions; cd ./now 2>/dev/null || :; {command}"],
            cwd=self.folder,
            env={
                "PATH": f"{self.folder}/bin:/usr/bin:/bin",
                "NOTED": str(self.folder / "noted"),
                "MADE": str(self.folder / "made.yaml"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
        # What a shell keeps from one command to the next.
        if re.match(r"\w+\(\) ", command):
            functions.write_text(f"{functions.read_text()}{command}\n")
        if command.startswith("cd "):
            (self.folder / "now").symlink_to(command.removeprefix("cd "))
        return done.stdout

    def made(self) -> Object:
        """The secret that the last command would have made."""
        found: Object = yaml.safe_load((self.folder / "made.yaml").read_text())
        return found

    def rendered(self) -> Manifests:
        """What `kubectl apply --kustomize .` would have applied."""
        return rendered(self.folder / "weighing")


def a_reader(folder: Path, **shown: str) -> Reader:
    """With a clone of this tree in `folder`.

    shown: texts of the page for which tests give their own
    """
    kubectl = shutil.which("kubectl")
    shutil.copytree(KUBERNETES.parent, folder / "weighbridge/deploy")
    (folder / "functions").touch()
    program = folder / "bin/kubectl"
    program.parent.mkdir()
    program.write_text(_STAND_IN.format(kubectl=kubectl))
    program.chmod(0o755)
    return Reader(folder, shown)
