"""F11: what was listed is deleted, moved or gone with its repository when it is
fetched."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.database_dump import assert_same
from support.docker_registry import DockerRegistry
from support.fault_proxy import FaultProxy, fault_proxy
from support.faulty_crawls import HOUR, CrawledDatabase, watching
from support.images_oci import Pusher
from support.two_moments import TwoMoments, an_image

# What a registry does wrong comes to either database by the same calls; `test_mixtures`
# has all of it on both.
pytestmark = pytest.mark.long_on("postgresql")


def crawled_while(
    moments: TwoMoments,
    database: CrawledDatabase,
    folder: Path,
    change: Callable[[DockerRegistry], None],
    look: Callable[[FaultProxy], None],
) -> None:
    """Crawl, with a change before shop/app's v9 is asked for; look at what came of
    it; crawl on until it is what a crawl of the changed registry comes to."""
    with (
        moments.a_copy_of_after(folder / "registry") as registry,
        fault_proxy(registry.url) as proxy,
    ):
        proxy.before(lambda: change(registry), target="shop/app/manifests/v9$")
        with watching(database) as watch:
            database.crawl(proxy.url)
        look(proxy)
        strange = watch.strange(moments.old, moments.new)
        assert set(strange) <= {"shop/app:v9"}, strange

        database.now += HOUR
        database.crawl(proxy.url)
        with moments.a_database(folder / "clean") as clean:
            clean.crawl(registry.url)
            clean.now += HOUR
            clean.crawl(registry.url)
            assert_same(clean.dump(), database.dump())


def test_f11_a_tag_deleted_between_list_and_fetch_is_gone_by_the_next_list(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path
) -> None:
    def delete(registry: DockerRegistry) -> None:
        with Pusher(registry.url) as pusher:
            pusher.delete_manifest("shop/app", an_image("shop/app", 9).digest)

    def look(proxy: FaultProxy) -> None:
        # It was listed: only a list without it says that it is gone.
        assert database.records()["shop/app:v9"] == moments.old["shop/app:v9"]
        assert proxy.plan.attempts("HEAD", "/v2/shop/app/manifests/v9") == 1

    crawled_while(moments, database, tmp_path, delete, look)

    assert database.records()["shop/app:v9"] is None


def test_f11_a_tag_moved_between_list_and_fetch_is_what_was_fetched(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path
) -> None:
    image = an_image("shop/app", "just now")

    def move(registry: DockerRegistry) -> None:
        with Pusher(registry.url) as pusher:
            pusher.push("shop/app", image, "v9")

    def look(proxy: FaultProxy) -> None:
        assert database.records()["shop/app:v9"] == image.digest

    crawled_while(moments, database, tmp_path, move, look)


def test_f11_a_tag_moved_between_head_and_get_is_one_of_the_two(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path
) -> None:
    image = an_image("shop/app", "just now")
    with (
        moments.a_copy_of_after(tmp_path / "registry") as registry,
        fault_proxy(registry.url) as proxy,
    ):

        def move() -> None:
            with Pusher(registry.url) as pusher:
                pusher.push("shop/app", image, "v0")

        first = moments.new["shop/app:v0"]
        proxy.before(move, target=f"shop/app/manifests/{first}", method="GET")
        database.crawl(proxy.url)

        assert database.records()["shop/app:v0"] in (first, image.digest)
        database.now += HOUR
        database.crawl(proxy.url)
    assert database.records()["shop/app:v0"] == image.digest


def test_f11_an_image_deleted_between_head_and_get_leaves_the_old_record(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path
) -> None:
    with (
        moments.a_copy_of_after(tmp_path / "registry") as registry,
        fault_proxy(registry.url) as proxy,
    ):
        first = moments.new["shop/app:v0"]

        def delete() -> None:
            with Pusher(registry.url) as pusher:
                digest = an_image("shop/app", "again 0").digest
                assert digest == first
                pusher.delete_manifest("shop/app", digest)

        proxy.before(delete, target=f"shop/app/manifests/{first}", method="GET")
        database.crawl(proxy.url)

        assert database.records()["shop/app:v0"] == moments.old["shop/app:v0"]
        database.now += HOUR
        database.crawl(proxy.url)
    assert database.records()["shop/app:v0"] is None


def test_f11_a_repository_deleted_mid_crawl_is_missing_and_kept(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path
) -> None:
    with (
        moments.a_copy_of_after(tmp_path / "registry") as registry,
        fault_proxy(registry.url) as proxy,
    ):
        repositories = registry.folder / "data/docker/registry/v2/repositories"
        proxy.before(
            lambda: shutil.rmtree(repositories / "shop" / "app"),
            target="shop/app/manifests/v9$",
        )
        with watching(database) as watch:
            database.crawl(proxy.url)
        # Those that its last list did not have, and no others.
        moments.assert_unharmed(watch)

        database.now += HOUR
        database.crawl(proxy.url)
        # The catalog does not list it either: that is enough.
        database.now += HOUR
        database.crawl(proxy.url)
    left = {tag for tag, record in database.records().items() if record}
    assert not {tag for tag in left if tag.startswith("shop/app:")}
    assert {tag for tag in left if tag.startswith("team/tool:")}
