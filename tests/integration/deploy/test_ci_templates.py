"""The GitHub Action and the GitLab template, run as their runners run them."""

import base64
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from support.ci_jobs import (
    ACTION,
    CHECK,
    CI,
    EXAMPLE,
    GITLAB,
    GITLAB_JOB,
    INSTALL,
    document,
    gitlab_scripts,
    mapping,
    run_gitlab,
    run_step,
    steps,
)
from support.docker_registry import docker_registry, htpasswd
from support.images_oci import Pusher, made_image
from support.missing import skip_or_fail
from weighbridge.cli.check import command
from weighbridge.demo.http.server import RunningDemo
from weighbridge.demo.story import demo_content

HOSTILE: Final = (
    '"; touch pwned; "',
    "$(touch pwned)",
    "`touch pwned`",
    "a\ntouch pwned",
    "--help",
    "-o json",
)
FEW: Final = [
    pytest.param(
        value, marks=[] if value.startswith(("$", "a\n")) else pytest.mark.long
    )
    for value in HOSTILE
]
"""For what takes the way on which another input is tried with all."""


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    running = RunningDemo(demo_content())
    yield running.url.removeprefix("http://")
    running.close()


def names_of_options() -> set[str]:
    options = [each for each in command.params if isinstance(each, click.Option)]
    return {name.removeprefix("--") for each in options for name in each.opts}


def test_a_heavy_image_fails_the_step_with_annotations_and_a_summary(
    demo: str, tmp_path: Path
) -> None:
    inputs = {
        "image": f"{demo}/shop/api:1.5.0",
        "max-compressed": "500MB",
        "max-growth": "10%",
        "against": ":1.4",
    }

    ended = run_step(CHECK, inputs, tmp_path)

    assert ended.code == 1, ended.said
    assert (ended.outputs["outcome"], ended.outputs["exit-code"]) == ("fail", "1")
    assert len(re.findall("^::error title=", ended.said, re.MULTILINE)) == 2
    summary = ended.files["GITHUB_STEP_SUMMARY"]
    assert "### ❌ Over its limits" in summary
    assert "torch==1.13.1" in summary
    assert Path(ended.outputs["comment"]).read_text().strip() == summary.strip()
    report = json.loads(Path(ended.outputs["report"]).read_text())
    assert report["schema"] == "weighbridge.check/1"


def test_a_light_image_passes(demo: str, tmp_path: Path) -> None:
    inputs = {"image": f"{demo}/tutorial/hello", "max-compressed": "500MB"}

    ended = run_step(CHECK, inputs, tmp_path)

    assert ended.code == 0, ended.said
    assert ended.outputs["outcome"] == "pass"
    assert "::notice title=" in ended.said


def test_policies_are_one_a_line(demo: str, tmp_path: Path) -> None:
    policy = "policies: [{name: %s, match: {repository: %s}, max_layers: %d}]"
    (tmp_path / "a.yaml").write_text(policy % ("others", "other/*", 99))
    (tmp_path / "b.yaml").write_text(policy % ("shop", "shop/*", 3))
    inputs = {"image": f"{demo}/shop/api:1.5.0", "policy": "a.yaml\nb.yaml\n"}

    ended = run_step(CHECK, inputs, tmp_path)

    assert ended.code == 1, ended.said
    assert "max_layers of policy shop (b.yaml:1)" in ended.said


def test_an_annotation_stands_beside_the_line_of_the_dockerfile(
    demo: str, tmp_path: Path
) -> None:
    text = "FROM python:3.7\nRUN pip install --no-cache-dir \\\n  torch==1.13.1\n"
    (tmp_path / "Dockerfile").write_text(text)
    inputs = {
        "image": f"{demo}/shop/api:1.5.0",
        "max-compressed": "500MB",
        "dockerfile": "Dockerfile",
    }

    ended = run_step(CHECK, inputs, tmp_path)

    assert ",file=Dockerfile,line=2::" in ended.said


@pytest.mark.parametrize("value", HOSTILE)
def test_no_image_becomes_a_command(demo: str, tmp_path: Path, value: str) -> None:
    assert_no_command(demo, tmp_path, "image", value)


@pytest.mark.parametrize("value", FEW)
def test_no_policy_becomes_a_command(demo: str, tmp_path: Path, value: str) -> None:
    assert_no_command(demo, tmp_path, "policy", value)


def assert_no_command(demo: str, tmp_path: Path, name: str, value: str) -> None:
    inputs = {"image": f"{demo}/tutorial/hello", "max-layers": "99"} | {name: value}

    ended = run_step(CHECK, inputs, tmp_path)

    assert not (tmp_path / "pwned").exists()
    assert ended.code == 2, ended.said
    assert ended.outputs["outcome"] == "error"
    assert ended.outputs.keys() == {"outcome", "exit-code", "report", "comment"}


@pytest.mark.parametrize(
    ("version", "wanted"), [("", "weighbridge"), ("0.1.0", "weighbridge==0.1.0")]
)
def test_the_released_version_is_installed(
    tmp_path: Path, version: str, wanted: str
) -> None:
    """With a Python that only writes down what it is told."""
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(
        "#!/bin/sh\n"
        'echo "$*" >>"$RUNNER_TEMP/told"\n'
        '[ "$1 $2" = "-m venv" ] || exit 0\n'
        'mkdir -p "$3/bin"; cp "$0" "$3/bin/python"\n'
    )
    python.chmod(0o755)

    ended = run_step(INSTALL, {"version": version}, tmp_path)

    assert ended.code == 0, ended.said
    made, installed = (tmp_path / "told").read_text().splitlines()
    assert made == f"-m venv {tmp_path}/weighbridge"
    assert installed.startswith("-m pip install ")
    assert installed.endswith(f" -- {wanted}")
    assert ended.files["GITHUB_PATH"] == f"{tmp_path}/weighbridge/bin\n"


def test_a_wheel_is_installed_and_is_what_checks(demo: str, tmp_path: Path) -> None:
    """The wheel of this tree. What it needs is lent, so that nothing is downloaded."""
    made = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=CI.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}
    lent = {"PYTHONPATH": sysconfig.get_path("purelib")}
    image = {"image": f"{demo}/shop/api:1.5.0", "max-compressed": "500MB"}

    installed = run_step(INSTALL, {"package": str(wheel)}, tmp_path, offline)
    (package,) = tmp_path.glob("weighbridge/lib/*/site-packages/weighbridge")
    with (package / "__init__.py").open("a") as file:
        file.write('__version__ = "of the wheel"\n')
    ended = run_step(CHECK, image, tmp_path, lent)

    assert installed.code == 0, installed.said
    assert ended.code == 1, ended.said
    assert ended.outputs["outcome"] == "fail"
    assert "weighbridge of the wheel: " in ended.files["GITHUB_STEP_SUMMARY"]


def test_expressions_stand_in_variables_and_never_in_a_script() -> None:
    job = mapping(mapping(document(EXAMPLE)["jobs"])["image"])
    found = job["steps"]
    assert isinstance(found, list)
    scripts = [str(step["run"]) for step in found if "run" in step]

    assert scripts
    assert not any("${{" in script for script in scripts)
    for step in steps().values():
        assert "${{" not in str(step["run"])


def test_every_input_of_the_action_is_used_and_is_an_option() -> None:
    inputs = mapping(document(ACTION)["inputs"]).keys()
    used = {
        name
        for step in steps().values()
        for name in re.findall(r"inputs\.([a-z-]+)", f"{step['env']} {step.get('if')}")
    }

    others = {"image", "version", "package", "install", "token"}
    assert used == set(inputs)
    assert set(inputs) - others <= names_of_options()


def test_the_example_names_inputs_and_outputs_that_there_are() -> None:
    job = mapping(mapping(document(EXAMPLE)["jobs"])["image"])
    found = job["steps"]
    assert isinstance(found, list)
    (step,) = [s for s in found if "deploy/ci/github" in str(s.get("uses"))]
    outputs = re.findall(r"steps\.weigh\.outputs\.([a-z-]+)", EXAMPLE.read_text())

    assert mapping(step["with"]).keys() <= mapping(document(ACTION)["inputs"]).keys()
    assert set(outputs) <= mapping(document(ACTION)["outputs"]).keys()
    assert len(outputs) >= 2


def test_the_gitlab_job_fails_and_keeps_its_reports(demo: str, tmp_path: Path) -> None:
    variables = {
        "CHECK_PACKAGE": "",
        "CHECK_IMAGE": f"{demo}/shop/api:1.5.0",
        "CHECK_MAX_COMPRESSED": "500MB",
        "CHECK_AGAINST": ":1.4",
    }

    ended = run_gitlab(variables, tmp_path)

    assert ended.code == 1, ended.said
    assert "FAIL" in ended.said
    assert json.loads(ended.files["weighbridge-check.json"])["outcome"] == "fail"
    assert "torch" in ended.files["weighbridge-check.md"]


@pytest.mark.parametrize("value", FEW)
def test_no_variable_of_the_gitlab_job_becomes_a_command(
    demo: str, tmp_path: Path, value: str
) -> None:
    variables = {"CHECK_PACKAGE": "", "CHECK_MAX_LAYERS": "99", "CHECK_IMAGE": value}

    ended = run_gitlab(variables, tmp_path)

    assert not (tmp_path / "pwned").exists()
    assert ended.code == 2, ended.said


def test_the_gitlab_job_signs_in_at_the_projects_registry(tmp_path: Path) -> None:
    auth = htpasswd(tmp_path / "auth", "ci", "s3cret")
    with docker_registry(tmp_path / "registry", auth=auth) as registry:
        with Pusher(registry.url, auth=("ci", "s3cret")) as pusher:
            pusher.push("shop/app", made_image(), "1")
        variables = {
            "CHECK_PACKAGE": "",
            "CHECK_IMAGE": f"{registry.address}/shop/app:1",
            "CHECK_MAX_LAYERS": "9",
            "CI_REGISTRY": registry.address,
            "CI_REGISTRY_USER": "ci",
        }
        refused = run_gitlab(variables, tmp_path)
        passed = run_gitlab(variables | {"CI_REGISTRY_PASSWORD": "s3cret"}, tmp_path)

    assert refused.code == 3, refused.said
    assert passed.code == 0, passed.said
    assert "s3cret" not in passed.said
    assert base64.b64encode(b"ci:s3cret").decode() not in passed.said


def test_the_gitlab_job_passes_every_limit_on() -> None:
    job = mapping(document(GITLAB)[GITLAB_JOB])
    script = gitlab_scripts()[-1]

    names = re.findall(r'"([a-z-]+)=\$CHECK_', script)
    variables = mapping(job["variables"]).keys()
    assert set(names) <= names_of_options()
    assert {f"CHECK_{name.replace('-', '_').upper()}" for name in names} <= variables
    assert {n for n in names_of_options() if n.startswith(("max-", "min-"))} <= set(
        names
    )


@pytest.mark.parametrize(
    "path", [*sorted((CI / "github").glob("*.sh")), CI.parents[1] / "tests/e2e"]
)
def test_shellcheck_finds_nothing(path: Path) -> None:
    files = sorted(path.glob("*.sh")) if path.is_dir() else [path]

    assert files
    assert checked("", *map(str, files)) == ""


def test_shellcheck_finds_nothing_in_the_gitlab_job() -> None:
    # The variables come from GitLab, and so does the shell.
    assert checked("\n".join(gitlab_scripts()), "--shell=sh", "-") == ""


def checked(text: str, *arguments: str) -> str:
    program = shutil.which("shellcheck")
    if program is None:
        skip_or_fail("shellcheck is not installed: run scripts/servers")
    done = subprocess.run(
        [program, *arguments], input=text, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr
