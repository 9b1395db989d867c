"""What documents as large as they may be take of memory, in a process of its own."""

import subprocess
import sys
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

MOST = 300 * MIB
_KEEPING = """
import json, resource, sys
from support.heavy_registry import annotated_index
from weighbridge.domain.manifest import parse_manifest

answer = annotated_index(40)
index = json.loads(answer("/v2/app/manifests/1").raw)
digests = [entry["digest"] for entry in index["manifests"]]
raw = answer(f"/v2/app/manifests/{digests[0]}")
parse_manifest(raw.raw, raw.media_type)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
kept = []
for digest in digests:
    told = answer(f"/v2/app/manifests/{digest}")
    kept.append(parse_manifest(told.raw, told.media_type))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) * 1024)
"""


def test_what_nobody_reads_of_a_manifest_is_not_kept() -> None:
    tests = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _KEEPING],
        cwd=tests,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    # 40 manifests of 2 MB, of which less than a thousandth is read.
    assert int(done.stdout) < 16 * MIB


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
