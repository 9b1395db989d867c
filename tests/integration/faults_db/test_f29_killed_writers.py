"""F29: whoever writes is killed in the middle of it."""

from pathlib import Path

from support.database import Engine, a_database_url
from support.database_dump import Dump
from support.database_faults import (
    assert_ended_as,
    assert_no_partial_image,
    assert_sound,
)
from support.killed_crawls import crawl, kill_crawl
from support.replica.process import Replica


def test_f29_a_killed_crawl_leaves_whole_images_and_right_totals(
    tmp_path: Path, engine: Engine, replica: Replica, clean: Dump
) -> None:
    with a_database_url(tmp_path, engine) as url:
        assert kill_crawl(replica, url, "--no-measure", at=400)

        assert_sound(url)
        assert assert_no_partial_image(clean, url) > 0

        crawl(replica, url, "--no-measure")
        assert_ended_as(clean, url)
