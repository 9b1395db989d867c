"""What documents as large as they may be take of memory."""

import json
import tracemalloc
from pathlib import Path

import pytest

from support.heavy_registry import (
    MIB,
    annotated_index,
    heavy_registry,
    largest_documents,
    long_catalog,
    measured,
)
from weighbridge.domain.image.manifest import parse_manifest

MOST = 300 * MIB


def test_what_nobody_reads_of_a_manifest_is_not_kept() -> None:
    answer = annotated_index(10)
    listing = answer("/v2/app/manifests/1")
    assert listing is not None
    index = json.loads(listing.raw)
    digests = [entry["digest"] for entry in index["manifests"]]
    kept = []

    tracemalloc.start()
    try:
        for digest in digests:
            served = answer(f"/v2/app/manifests/{digest}")
            assert served is not None
            kept.append(parse_manifest(served.raw, served.media_type))
        del served
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # Ten manifests of 2 MB, of which less than a thousandth is read.
    assert len(kept) == 10
    assert held_bytes < 2 * MIB


@pytest.mark.parametrize("children", [pytest.param(1_000, marks=pytest.mark.long), 20])
def test_an_index_full_of_annotations_takes_no_more_than_others(
    tmp_path: Path, children: int
) -> None:
    with heavy_registry(annotated_index(children)) as address:
        crawl = measured(tmp_path, *_crawl(address))
        inspect = measured(tmp_path, "inspect", f"{address}/app:1", "--all-platforms")

    assert (crawl.code, inspect.code) == (0, 0), crawl.printed + inspect.printed
    assert max(crawl.peak_bytes, inspect.peak_bytes) < MOST


@pytest.mark.long
def test_the_largest_documents_at_once_stay_within_bounds(tmp_path: Path) -> None:
    with heavy_registry(largest_documents(64)) as address:
        crawl = measured(tmp_path, *_crawl(address))

    assert crawl.code == 0, crawl.printed
    assert crawl.peak_bytes < MOST


@pytest.mark.parametrize(
    "names", [pytest.param(1_000_000, marks=pytest.mark.long), 60_000]
)
def test_a_catalog_of_long_names_stays_within_bounds(
    tmp_path: Path, names: int
) -> None:
    with heavy_registry(long_catalog(names)) as address:
        (tmp_path / "weighbridge.yaml").write_text(
            f"registries: [{{name: big, url: 'http://{address}',"
            " repositories: {include: ['none/*']}}]\n"
        )
        crawl = measured(tmp_path, *_crawl("big"))

    assert crawl.code == 0, crawl.printed
    assert crawl.peak_bytes < MOST


def _crawl(target: str) -> list[str]:
    return ["crawl", target, "--no-measure", "--database", "sqlite:///w.db"]
