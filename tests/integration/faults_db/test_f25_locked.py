"""F25: another process keeps the SQLite file locked."""

from pathlib import Path

from support.database import a_database_url
from support.database_dump import Dump
from support.database_faults import assert_ended_as
from support.locked_files import crawl_locked_out
from support.replica.process import Replica

LOCKED_S = 6.0
"""Longer than SQLite itself waits."""


def test_f25_a_lock_stops_writers_and_no_reader(
    tmp_path: Path, replica: Replica, clean: Dump
) -> None:
    with a_database_url(tmp_path) as url:
        crawl_locked_out(url, replica, LOCKED_S)
        assert_ended_as(clean, url)
