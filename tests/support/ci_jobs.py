"""Jobs of CI services, run as their runners run them: the files of `deploy/ci`."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

CI: Final = Path(__file__).parents[2] / "deploy" / "ci"
ACTION: Final = CI / "github" / "action.yml"
EXAMPLE: Final = CI / "github" / "example.yml"
GITLAB: Final = CI / "gitlab" / "weighbridge-check.yml"
GITLAB_JOB: Final = ".weighbridge-check"
CHECK: Final = "Check the image"
COMMENT: Final = "Comment on the pull request"
INSTALL: Final = "Install Weighbridge"

_INPUT: Final = re.compile(r"\$\{\{ inputs\.([a-z-]+) \}\}")


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that has ended; `files` has what the runner reads afterwards."""

    code: int
    said: str
    files: Mapping[str, str]

    @property
    def outputs(self) -> Mapping[str, str]:
        lines = self.files["GITHUB_OUTPUT"].splitlines()
        return dict(line.split("=", 1) for line in lines)


def document(path: Path) -> dict[str, object]:
    found: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def mapping(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def texts(value: object) -> list[str]:
    assert isinstance(value, list)
    return [text for text in value if isinstance(text, str)]


def steps() -> dict[str, dict[str, object]]:
    """The action's steps by name."""
    found = mapping(document(ACTION)["runs"])["steps"]
    assert isinstance(found, list)
    return {str(mapping(step)["name"]): mapping(step) for step in found}


def run_step(
    name: str,
    inputs: Mapping[str, str],
    folder: Path,
    variables: Mapping[str, str] | None = None,
) -> Ended:
    """One step of the action with these inputs, the others as they are by default.

    As actions/runner does it: expressions are put into `env` only, the script is a file
    that `bash --noprofile --norc -eo pipefail` runs; what steps before it have put into
    the path comes first. variables: of the job
    """
    declared = mapping(document(ACTION)["inputs"])
    assert inputs.keys() <= declared.keys()
    given = {key: str(mapping(d).get("default", "")) for key, d in declared.items()}
    given |= inputs
    step = steps()[name]
    environment = {
        key: _INPUT.sub(lambda found: given[found[1]], str(value))
        for key, value in mapping(step["env"]).items()
    } | dict(variables or {})
    names = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH")
    for each in names:
        (folder / each).touch()
        environment[each] = str(folder / each)
    environment |= {
        "GITHUB_ACTION_PATH": str(ACTION.parent),
        "GITHUB_ACTIONS": "true",
        "RUNNER_TEMP": str(folder),
    }
    script = folder / "script.sh"
    script.write_text(str(step["run"]))
    code, said = _run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        environment,
        folder,
    )
    return Ended(code, said, {each: (folder / each).read_text() for each in names})


def run_comment(variables: Mapping[str, str], folder: Path) -> Ended:
    """The step of the example workflow that writes a comment, in the runner's usual
    shell. What stands in `bin` of the folder is in the PATH."""
    job = mapping(mapping(document(EXAMPLE)["jobs"])["image"])
    found = job["steps"]
    assert isinstance(found, list)
    (step,) = [mapping(s) for s in found if mapping(s).get("name") == COMMENT]
    declared = mapping(step["env"]).keys()
    assert declared <= variables.keys()
    script = folder / "script.sh"
    script.write_text(str(step["run"]))
    return Ended(*_run(["bash", "-e", str(script)], variables, folder), {})


def run_gitlab(variables: Mapping[str, str], folder: Path) -> Ended:
    """The job of the template with these variables; one shell for all of its lines."""
    job = mapping(document(GITLAB)[GITLAB_JOB])
    declared = {key: str(value) for key, value in mapping(job["variables"]).items()}
    assert {v for v in variables if v.startswith("CHECK_")} <= declared.keys()
    script = folder / "script.sh"
    script.write_text("\n".join(gitlab_scripts()))
    code, said = _run(
        ["bash", "-eo", "pipefail", str(script)], {**declared, **variables}, folder
    )
    paths = texts(mapping(job["artifacts"])["paths"])
    kept = [path for path in paths if (folder / path).exists()]
    return Ended(code, said, {path: (folder / path).read_text() for path in kept})


def gitlab_scripts() -> list[str]:
    """Every script of the job, in order."""
    job = mapping(document(GITLAB)[GITLAB_JOB])
    return [*texts(job["before_script"]), *texts(job["script"])]


def _run(
    command: list[str], environment: Mapping[str, str], folder: Path
) -> tuple[int, str]:
    """With the program of this tree in the PATH, and nothing of whoever runs tests."""
    program = folder / "bin" / "weighbridge"
    added = folder / "GITHUB_PATH"
    before = added.read_text().splitlines() if added.exists() else []
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m weighbridge "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join([*before, str(program.parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        env={"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", **environment},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout
