"""Crawls through mixtures of faults that a seed decides; what each must come to."""

from pathlib import Path
from random import Random

from support.database import Engine
from support.database_dump import assert_same
from support.fault_matrix import (
    LASTING,
    PASSING,
    Row,
    assert_nothing_lost,
    spoil_by_seed,
)
from support.fault_proxy import fault_proxy
from support.faults import Altered, Delay, Instead, flipped_byte
from support.faulty_crawls import HOUR, CrawledDatabase, crawled_database, watching
from support.guarded_registry import a_guarded_registry
from support.hasty_crawls import Hasty
from support.images_oci import Pusher
from support.two_moments import TwoMoments, an_image


def one_row(
    moments: TwoMoments, database: CrawledDatabase, row: Row, seed: int
) -> None:
    """One kind of fault."""
    with fault_proxy(moments.after.url, seed=seed) as proxy:
        row(proxy, Random(seed))  # noqa: S311 - a test's choice

        assert_nothing_lost(moments, database, proxy, crawls=1)


def faults_that_pass(moments: TwoMoments, database: CrawledDatabase, seed: int) -> None:
    """They cost attempts and nothing else."""
    with fault_proxy(moments.after.url, seed=seed) as proxy:
        proxy.spoil(Delay(0.02), chance=0.1)
        spoil_by_seed(proxy, PASSING, seed)

        assert_nothing_lost(moments, database, proxy, crawls=2)

    assert sum(proxy.plan.spoilt.values()) > 30


def faults_that_last(moments: TwoMoments, database: CrawledDatabase, seed: int) -> None:
    """They leave what was known."""
    with fault_proxy(moments.after.url, seed=seed) as proxy:
        spoil_by_seed(proxy, {**PASSING, **LASTING}, seed)
        for fault in LASTING.values():
            proxy.spoil(fault, chance=0.03)

        assert_nothing_lost(moments, database, proxy, crawls=3)


def manifests_that_arrive_changed(
    moments: TwoMoments, database: CrawledDatabase, seed: int
) -> None:
    """They are never stored, whatever else goes wrong."""
    with fault_proxy(moments.after.url, seed=seed) as proxy:
        proxy.spoil(flipped_byte(), kind="manifest", method="GET", chance=0.3)
        spoil_by_seed(proxy, PASSING, seed)

        assert_nothing_lost(moments, database, proxy, crawls=1)


def tokens_that_end(
    moments: TwoMoments, database: CrawledDatabase, folder: Path, seed: int
) -> None:
    """f08: they are revoked while they are used, three times in a crawl."""
    chosen = Random(seed)  # noqa: S311 - a test's choice
    with a_guarded_registry(moments, folder, seed=seed) as (proxy, tokens):
        proxy.spoil(Instead(tokens.give), kind="token")
        proxy.spoil(Altered(tokens.refuse_revoked))
        for number in sorted(chosen.sample(range(30, 250), k=3)):
            proxy.before(tokens.revoke, since=number)

        with watching(database) as watch:
            Hasty().crawl(database, proxy.url)
        moments.assert_unharmed(watch)
        database.crawl(proxy.url)
    moments.assert_caught_up(database)


def a_tag_that_changes_meanwhile(
    moments: TwoMoments, database: CrawledDatabase, folder: Path, seed: int
) -> None:
    """f11: one is moved and one deleted at any moment of a crawl."""
    chosen = Random(seed)  # noqa: S311 - a test's choice
    moved, deleted = chosen.sample(range(5, 25), k=2)
    image = an_image("shop/app", "meanwhile")
    with (
        moments.a_copy_of_after(folder / "registry") as registry,
        fault_proxy(registry.url, seed=seed) as proxy,
    ):

        def change() -> None:
            with Pusher(registry.url) as pusher:
                pusher.push("shop/app", image, f"v{moved}")
                old = an_image("shop/app", deleted)
                pusher.delete_manifest("shop/app", old.digest)

        proxy.before(change, since=chosen.randrange(1, 160))
        with watching(database) as watch:
            database.crawl(proxy.url)
        new = {**moments.new, f"shop/app:v{moved}": image.digest}
        new[f"shop/app:v{deleted}"] = None
        strange = watch.strange(moments.old, new)
        assert not strange, f"neither old nor new: {strange}"

        database.now += HOUR
        database.crawl(proxy.url)
        assert {t: r for t, r in database.records().items() if t in new} == new


def a_first_crawl(moments: TwoMoments, engine: Engine, folder: Path, seed: int) -> None:
    """Through faults it comes to what one without them comes to."""
    with (
        crawled_database(folder / "clean", engine) as clean,
        crawled_database(folder / "faulty", engine) as database,
        fault_proxy(moments.after.url, seed=seed) as proxy,
    ):
        clean.crawl(moments.after.url)
        spoil_by_seed(proxy, PASSING, seed)

        Hasty().crawl(database, proxy.url)
        proxy.heal()
        database.crawl(proxy.url)

        assert_same(clean.dump(), database.dump())
