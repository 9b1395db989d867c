"""Backups into a disk that is full, and backups that are stopped on their way."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from support.database import a_database_url
from support.mounts import KIB, MIB, SmallDisk, on_a_small_disk
from support.wait import wait_in_thread

COMMAND = (sys.executable, "-m", "weighbridge", "db", "backup")


def back_up(url: str, copy: Path) -> tuple[int, str]:
    """Exit code of the command, and what it says beside its result."""
    done = subprocess.run(
        [*COMMAND, str(copy), "--replace", "--database", url],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_full_disk_keeps_the_backup_that_is_there(tmp_path: Path) -> None:
    def story(disk: SmallDisk) -> None:
        copy = disk.folder / "copy.db"
        with a_database_url(tmp_path) as url:
            assert back_up(url, copy) == (0, "")
            before = copy.read_bytes()
            disk.fill(but=200 * KIB)

            code, said = back_up(url, copy)

            assert code == 3
            assert "[disk_full]" in said
            assert copy.read_bytes() == before
            assert {p.name for p in disk.folder.iterdir()} == {"copy.db", "ballast"}

            disk.make_room()
            assert back_up(url, copy) == (0, "")

    on_a_small_disk(4 * MIB, story)


def test_a_disk_that_takes_no_writes_is_said(tmp_path: Path) -> None:
    def story(disk: SmallDisk) -> None:
        with a_database_url(tmp_path) as url:
            disk.freeze()

            code, said = back_up(url, disk.folder / "copy.db")

            assert code == 3
            assert "(Read-only file system) [backup_failed]" in said

    on_a_small_disk(MIB, story)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_backup_that_is_stopped_leaves_the_one_before(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "copies").mkdir()
    copy = tmp_path / "copies/copy.db"
    copy.write_text("the one before")
    with a_database_url(tmp_path) as url:
        with closing(sqlite3.connect(tmp_path / "weighbridge.db")) as database:
            database.execute("CREATE TABLE more(bytes BLOB)")
            database.execute("INSERT INTO more VALUES (zeroblob(200000000))")
            database.commit()
        with subprocess.Popen(
            [*COMMAND, str(copy), "--replace", "--database", url],
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            wait_in_thread(lambda: sizes(copy.parent) > 10_000_000, "it copies")
            os.kill(process.pid, number)
            _, said = process.communicate(timeout=60)

    assert copy.read_text() == "the one before"
    if number == signal.SIGKILL:
        assert process.returncode == -number
        assert len(list(copy.parent.glob(".copy.db.*.part"))) == 1
    else:
        assert process.returncode == 128 + number
        assert said == "stopped; there is no backup of this moment\n"
        assert list(copy.parent.iterdir()) == [copy]


def sizes(folder: Path) -> int:
    """Of all files in it."""
    return sum(path.stat().st_size for path in folder.iterdir())
