"""Figures on the pages about choosing and sizing are those that were measured, and the
commands beside them exist."""

import re
from pathlib import Path
from typing import Final

import pytest

from load.bench.catalogue import COMPARISONS

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
SIZING: Final = (DOCS / "deploying/sizing.md").read_text(encoding="utf-8")
CHOOSE: Final = (DOCS / "deploying/choose.md").read_text(encoding="utf-8")


def measured(heading: str, what: str) -> tuple[str, str, str]:
    """Least, median and greatest of a row of docs/benchmarks.md; of rows of one name
    the last, which is the one in a rate."""
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    row = rf"^\| {re.escape(what)} \| (\S+) \| \*\*(\S+)\*\* \| (\S+) \|"
    least, median, greatest = re.findall(row, section, re.MULTILINE)[-1]
    return least, median, greatest


def row_with(text: str, words: str) -> str:
    (found,) = [line for line in text.splitlines() if words in line]
    return found


@pytest.mark.parametrize(
    ("row", "unit", "heading", "what"),
    [
        (
            "| `weighbridge crawl`, 1,000 tags |",
            "{} MiB",
            "A registry seen first",
            "weighbridge crawl: peak memory",
        ),
        (
            "| the same again, nothing has changed |",
            "{} MiB",
            "Nothing has changed",
            "weighbridge crawl, again: peak memory",
        ),
        (
            "| storing 10,000 tags, PostgreSQL |",
            "{} MiB",
            "Storing alone",
            "PostgreSQL: peak memory",
        ),
        (
            "| a first crawl |",
            "({} s of CPU for 1,000)",
            "A registry seen first",
            "weighbridge crawl: CPU",
        ),
        (
            "| a crawl that finds nothing new |",
            "({} s of CPU for 1,000)",
            "Nothing has changed",
            "weighbridge crawl, again: CPU",
        ),
        (
            "| two pushes a second,",
            "{} % busy",
            "A push, and who is told of it",
            "one process, SQLite, idle: cores busy",
        ),
    ],
)
def test_a_figure_of_sizing_is_the_median(
    row: str, unit: str, heading: str, what: str
) -> None:
    assert unit.format(measured(heading, what)[1]) in row_with(SIZING, row)


@pytest.mark.parametrize(
    ("row", "one", "several"),
    [
        (
            "first crawl of many",
            "one process, SQLite: cold",
            "a worker, PostgreSQL: cold",
        ),
        (
            "| nothing has changed (the same)",
            "one process, SQLite: unchanged",
            "a worker, PostgreSQL: unchanged",
        ),
    ],
)
def test_rates_of_one_and_of_several_processes_are_the_medians(
    row: str, one: str, several: str
) -> None:
    heading = "Many small repositories"

    found = re.findall(r"([\d,]+) repositories/s", row_with(CHOOSE, row))

    assert found == [measured(heading, one)[1], measured(heading, several)[1]]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("to the verdict", "to the verdict, p99"),
        ("to the message", "to the message, p99"),
    ],
)
def test_times_of_a_push_are_the_medians(row: str, what: str) -> None:
    heading = "A push, and who is told of it"

    found = re.findall(r"\| (\d+) ms", row_with(CHOOSE, row))

    of_ways = ("one process, SQLite, idle", "a worker, PostgreSQL, idle")
    expected = [float(measured(heading, f"{way}: {what}")[1]) for way in of_ways]
    assert [int(text) for text in found] == [round(value) for value in expected]


def test_a_push_beside_a_crawl_is_judged_within_what_the_page_says() -> None:
    of_push = measured(
        "A push, and who is told of it",
        "one process, SQLite, beside a crawl: to the verdict, p99",
    )

    (said,) = re.findall(r"judged within (\d+) ms", " ".join(SIZING.split()))

    assert float(of_push[2]) <= int(said) < 2 * float(of_push[2])


def test_disk_is_what_scaling_measured() -> None:
    scaling = (DOCS / "scaling.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d.]+) \|", scaling, re.MULTILINE)
    sqlite, postgresql = rows[:3], rows[3:6]
    disk = SIZING.partition("\n## Disk\n")[2]

    for (tags, count, gib), (same, _, more_gib) in zip(sqlite, postgresql, strict=True):
        assert tags == same
        assert f"| {tags} | {count} | {gib} GiB | {more_gib} GiB |" in disk
    for bytes_a_tag in re.findall(r"Bytes a tag: ([\d,]+);", scaling):
        assert f"{bytes_a_tag} " in SIZING


def test_disk_of_more_tags_is_multiplied() -> None:
    summary = SIZING.partition("\n## In short\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\d,]+) \| (\S+) GB \| (\S+) GB \|", summary, re.MULTILINE)

    assert [tags for tags, _, _ in rows] == ["1,000,000", "10,000,000"]
    for tags, sqlite, postgresql in rows:
        count = int(tags.replace(",", ""))
        assert float(sqlite) == pytest.approx(count * 1_580 / 1e9, rel=0.05)
        assert float(postgresql) == pytest.approx(count * 5_125 / 1e9, rel=0.05)


def test_requests_are_those_of_the_registries_page() -> None:
    registries = (DOCS / "registries.md").read_text(encoding="utf-8")
    plain = registries.partition("\n| plain `/v2` |")[2].partition("\n\n")[0]

    (first,) = re.findall(r"^\|  \| first crawl .*", plain, re.MULTILINE)
    (said,) = re.findall(r"makes ([\d,]+) requests for 1,000 tags", SIZING)

    assert first.split(" | ")[12] == said


def test_every_command_beside_a_figure_exists() -> None:
    for text in (SIZING, CHOOSE):
        benches = re.findall(r"make bench ONLY=(\S+)", text)
        assert benches
        assert set(benches) <= {comparison.name for comparison in COMPARISONS}
        paths = re.findall(r"\b(?:scripts|tests)/[\w/.]+", text)
        assert [path for path in paths if not (ROOT / path).exists()] == []
