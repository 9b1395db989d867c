"""Commands and files of docs/deploying/: image, compose, distributed, air-gapped.

No engine runs here: an image's arguments go to the assembled image
(`test_image_running.py`), the rest is read by docker-compose, the Dockerfile and the
configuration. The page about systemd is run as a whole by `test_systemd.py`.
"""

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import pytest

from support.compose import compose
from support.missing import skip_or_fail
from support.page_examples import Block, blocks_of
from support.redis_server import GuardedRedis
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.targets import base_repositories
from weighbridge.cli.main import cli
from weighbridge.config import load_settings
from weighbridge.domain.base.base_repositories import DEFAULT_BASES

ROOT: Final = Path(__file__).parents[3]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMAGE: Final = f"weighbridge:{PROJECT['version']}"


def commands(page: str, program: str) -> list[list[str]]:
    """The words of each command of a program in a page, without the program's."""
    found: list[list[str]] = []
    for block in blocks_of(f"deploying/{page}"):
        if block.language == "":
            found += [
                shlex.split(line.removeprefix(program))
                for line in block.text.replace("\\\n", " ").splitlines()
                if line.startswith(f"{program} ")
            ]
    assert found, program
    return found


def yaml_of(page: str) -> list[Block]:
    return [b for b in blocks_of(f"deploying/{page}") if b.language == "yaml"]


def test_every_block_of_these_pages_is_of_a_kind_that_is_tried() -> None:
    begins = {
        "image.md": ("docker build ", "docker run "),
        "compose.md": ("docker compose ", "deploy/compose/scaled/make-secrets"),
        "distributed.md": ("pip install ", "user weighbridge on ", "export WEIGH"),
    }
    for page, known in begins.items():
        for block in blocks_of(f"deploying/{page}"):
            assert block.language == "yaml" or block.text.startswith(known), block.name


def test_an_image_is_built_with_arguments_that_the_dockerfile_has() -> None:
    arguments = re.findall(
        r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )

    built = commands("image.md", "docker build")

    for words in built:
        assert words[-1] == "."
        assert words[words.index("--tag") + 1].startswith(IMAGE)
        given = [w.partition("=")[0] for w in words if "=" in w]
        assert set(given) <= set(arguments)
    assert len(built) == 2


def arguments_of(words: Sequence[str]) -> list[str]:
    """What a container's program is given."""
    return list(words[words.index(IMAGE) + 1 :])


def test_containers_are_started_with_commands_that_exist() -> None:
    shown = [arguments_of(words) for words in commands("image.md", "docker run")]

    # `test_image_running.py` runs these.
    assert shown == [
        ["up", "--demo"],
        ["inspect", "python:3.7-slim"],
        ["token", "create", "--role", "read", "--name", "me"],
        [],
    ]
    for words in filter(None, shown):
        name, command, rest = cli.resolve_command(click.Context(cli), words)
        assert name is not None
        assert command is not None
        with command.make_context(name, list(rest), resilient_parsing=True):
            pass


def test_compose_takes_the_files_that_the_page_names() -> None:
    if shutil.which("docker-compose") is None:
        skip_or_fail("no docker-compose (package docker-compose)")
    started = commands("compose.md", "docker compose")

    for words in started:
        assert words[-2:] == ["up", "--detach"]
        done = subprocess.run(
            ["docker-compose", *words[:-2], "config", "--quiet"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert [Path(words[1]).parent.name for words in started] == ["embedded", "scaled"]
    assert all(compose(name).own for name in ("embedded", "scaled"))


def test_make_secrets_is_where_the_page_says() -> None:
    """`test_compose_scaled.py` runs it."""
    (block,) = [
        b for b in blocks_of("deploying/compose.md") if "make-secrets" in b.text
    ]

    assert (ROOT / block.text.splitlines()[0]).stat().st_mode & 0o100


def test_the_extra_that_is_installed_exists() -> None:
    ((wanted,),) = commands("distributed.md", "pip install")

    (extra,) = re.findall(r"weighbridge\[(\w+)\]", wanted)
    assert extra in PROJECT["optional-dependencies"]


@pytest.mark.parametrize("block", yaml_of("distributed.md"), ids=lambda b: b.name)
def test_a_configuration_of_several_processes_is_right(
    block: Block, tmp_path: Path
) -> None:
    text = block.text
    for key, name in re.findall(r"^(\w+)_file: (\S+)", text, re.MULTILINE):
        # What the file holds stands beside it, or in a comment below.
        pattern = rf"{name} +# (\S+)|^# (rediss?://\S+)"
        beside, below = re.findall(pattern, text, re.MULTILINE)[-1]
        (tmp_path / key).write_text(beside or below)
        text = text.replace(f"{key}_file: {name}", f"{key}_file: {key}")
    file = tmp_path / "weighbridge.yaml"
    file.write_text(text)

    settings = load_settings(str(file), {}, KINDS)

    assert settings.redis_url is not None
    assert settings.redis_url.reveal().startswith("rediss://")


def test_celery_is_asked_what_workers_answer() -> None:
    """`test_remote_control.py` asks all of these."""
    app = ["-A", "weighbridge_workers.app"]

    assert commands("distributed.md", "celery") == [
        [*app, "inspect", "active"],
        [*app, "inspect", "stats"],
        [*app, "inspect", "registered"],
        [*app, "control", "enable_events"],
        [*app, "events", "--dump"],
    ]


def test_the_rights_in_redis_are_those_that_were_tried() -> None:
    ((_, *words),) = commands("distributed.md", "user")

    assert words[:2] == ["on", ">PASSWORD"]
    assert tuple(words[2:]) == GuardedRedis.RIGHTS


def test_the_bases_are_read_from_the_mirror(tmp_path: Path) -> None:
    (block,) = yaml_of("air-gapped.md")
    file = tmp_path / "weighbridge.yaml"
    file.write_text(block.text)

    asked = base_repositories(load_settings(str(file), {}, KINDS)).at

    assert set(asked) == {"mirror"}
    assert len(asked["mirror"]) == len(DEFAULT_BASES)
