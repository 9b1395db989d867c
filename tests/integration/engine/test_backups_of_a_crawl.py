"""Backups at random moments of a crawl, each restored: nothing is wrong in them, and
the next crawl ends as one of an empty database does."""

import random
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from support.database import Engine, an_empty_url
from support.database_dump import assert_same, dump_of_url
from support.killed_crawls import begun_crawl, crawl
from support.postgres import run_tool
from support.replica.fleet import Fleet
from support.replica.process import fleet_replica
from weighbridge.cli.main import run

FLEET: Final = Fleet(repositories=8, tags=300, largest=100)
ROUNDS: Final = (
    pytest.param(3, id="3"),
    pytest.param(20, id="20", marks=[pytest.mark.long, pytest.mark.timeout(900)]),
)


@contextmanager
def a_folder() -> Iterator[Path]:
    """That the user of the database's server may write into."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def server_tool(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Run what is printed in place of doing it."""
    capsys.readouterr()
    assert run(words) == 2
    program, *arguments = shlex.split(capsys.readouterr().err.splitlines()[1])[1:]
    assert program in ("pg_dump", "pg_restore")
    run_tool(program, *arguments)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_restored_backup_of_a_crawl_is_whole_and_the_next_crawl_ends_it(
    tmp_path: Path, engine: Engine, rounds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.randrange(1_000_000)  # noqa: S311 - a die, no secret
    chance = random.Random(seed)  # noqa: S311
    print(f"seed {seed}")
    (tmp_path / "clean").mkdir()
    with (
        fleet_replica(FLEET) as replica,
        an_empty_url(tmp_path / "clean", engine) as clean,
        a_folder() as backups,
    ):
        crawl(replica, clean)
        needed = sum(replica.reset_counts().values())
        wanted = dump_of_url(clean)
        for number in range(rounds):
            at = chance.randrange(1, needed * 9 // 10)
            used, fresh = tmp_path / f"used{number}", tmp_path / f"fresh{number}"
            used.mkdir()
            fresh.mkdir()
            backup = str(backups / f"{number}.backup")
            with (
                an_empty_url(used, engine) as url,
                an_empty_url(fresh, engine) as restored,
            ):
                assert run(["db", "upgrade", "--database", url]) == 0
                replica.reset_counts()
                with begun_crawl(replica, url) as begun:
                    begun.wait_for_requests(at)
                    save = ["db", "backup", backup, "--database", url]
                    put_back = ["db", "restore", backup, "--database", restored]
                    if engine == "sqlite":
                        assert run(save) == 0
                    else:
                        server_tool(save, capsys)
                    begun.end()
                if engine == "sqlite":
                    assert run(put_back) == 0
                else:
                    server_tool(put_back, capsys)

                at_which = f"seed {seed}, at {at} of {needed} requests"
                capsys.readouterr()
                code = run(["db", "verify", "--database", restored])
                assert code == 0, at_which + capsys.readouterr().out
                crawl(replica, restored)
                assert_same(wanted, dump_of_url(restored))
                assert run(["db", "verify", "--database", restored]) == 0, at_which
