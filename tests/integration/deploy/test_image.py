"""The file system of our own image, as the script assembles it."""

import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from support.own_image import USER, OwnImage, assemble

SITE: Final = "usr/local/lib/python3.13/dist-packages"


def entries(image: OwnImage) -> Iterator[tuple[str, os.stat_result]]:
    for folder, folders, files in os.walk(image.root):
        for name in [*folders, *files]:
            path = Path(folder, name)
            yield str(path.relative_to(image.root)), path.lstat()


@pytest.mark.long
def test_two_builds_give_the_same_tree(embedded: OwnImage, image_folder: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        again = assemble("embedded", Path(folder) / "root", image_folder / "downloads")

    assert re.match(r"sha256:[0-9a-f]{64} ", again)
    assert again == embedded.said


def test_there_is_no_program_but_python_and_ours(full: OwnImage) -> None:
    programs = {
        name
        for name, found in entries(full)
        if stat.S_ISREG(found.st_mode) and found.st_mode & 0o111
    }

    assert {name for name in programs if ".so" not in name} == {
        "usr/bin/python3.13",
        "usr/bin/weighbridge",
    }


def test_only_data_belongs_to_the_user_and_only_tmp_to_all(full: OwnImage) -> None:
    others = {
        name: oct(found.st_mode)
        for name, found in entries(full)
        if (found.st_uid, found.st_gid) != (0, 0)
        or (found.st_mode & 0o6022 and not stat.S_ISLNK(found.st_mode))
    }

    assert others == {"data": oct(0o40750), "tmp": oct(0o41777)}
    assert (full.root / "data").stat().st_uid == USER


def test_no_link_leads_nowhere(full: OwnImage) -> None:
    links = [n for n, found in entries(full) if stat.S_ISLNK(found.st_mode)]

    def target(name: str) -> Path:
        text = os.readlink(full.root / name)
        if text.startswith("/"):
            return full.root / text.lstrip("/")
        return (full.root / name).parent / text

    assert links
    assert [name for name in links if not target(name).exists()] == []


def test_modules_are_bytecode_but_for_what_alembic_looks_for(full: OwnImage) -> None:
    sources = {n for n, _ in entries(full) if n.endswith(".py")}

    migrations = f"{SITE}/weighbridge/store/migrations/"
    assert {n for n in sources if not n.startswith(migrations)} == set()
    assert f"{migrations}env.py" in sources


def test_scanners_find_packages_and_distributions(full: OwnImage) -> None:
    status = {path.name for path in (full.root / "var/lib/dpkg/status.d").iterdir()}
    distributions = {
        path.name for path in (full.root / SITE).glob("*.dist-info/METADATA")
    }

    assert {"libc6", "libssl3t64", "python3.13-minimal"} <= status
    assert "Version: " in (full.root / "var/lib/dpkg/status.d/libc6").read_text()
    assert distributions == {"METADATA"}


@pytest.mark.long  # the only one that needs both
def test_the_embedded_one_has_no_queue_and_no_postgresql(
    full: OwnImage, embedded: OwnImage
) -> None:
    extras = {"celery", "kombu", "redis", "psycopg", "psycopg_binary"}

    def found(image: OwnImage) -> set[str]:
        return {path.name for path in (image.root / SITE).iterdir()} & extras

    assert found(embedded) == set()
    assert {"psycopg", "psycopg_binary"} <= found(full)
