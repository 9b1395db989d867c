"""Which series the inventory has, and how it keeps its budget."""

from dataclasses import replace

from support.read_model import NOW, a_registry_report, a_repository_report
from weighbridge.domain.report import RepositoryReport
from weighbridge.web.exposition import exposition
from weighbridge.web.inventory import (
    Inventory,
    count_series,
    inventory_families,
    name_of,
    take_inventory,
)


def some_rows(count: int) -> list[RepositoryReport]:
    """Repositories r0, r1, ...: each heavier than the one before."""
    return [
        replace(a_repository_report(f"r{i}"), newest_compressed_bytes=1000 + i)
        for i in range(count)
    ]


def text_of(inventory: Inventory) -> str:
    return exposition(inventory_families(inventory)).decode()


def series_of(inventory: Inventory) -> int:
    return count_series(inventory_families(inventory))


def test_a_repository_has_its_series_and_an_info() -> None:
    text = text_of(
        take_inventory([a_registry_report()], [a_repository_report()], 20_000)
    )

    name = 'registry="hub",repository="shop/api"'
    for line in (
        f'weighbridge_repository_info{{{name},platform="linux/amd64"}} 1',
        f"weighbridge_repository_newest_image_compressed_bytes{{{name}}} 1082700595",
        f"weighbridge_repository_newest_image_uncompressed_bytes{{{name}}} 2581729792",
        f"weighbridge_repository_baseline_image_compressed_bytes{{{name}}} 445914274",
        f"weighbridge_repository_tags{{{name}}} 41",
        'weighbridge_registry_up{registry="hub"} 1',
        'weighbridge_registry_tags{registry="hub"} 412',
        'weighbridge_registry_images{registry="hub"} 230',
        'weighbridge_registry_referenced_bytes{registry="hub"} 91204118330',
    ):
        assert f"{line}\n" in text


def test_what_is_not_known_is_absent_and_never_zero() -> None:
    report = replace(
        a_repository_report(),
        newest_compressed_bytes=None,
        newest_uncompressed_bytes=None,
        baseline_compressed_bytes=None,
        newest_platform=None,
        newest_at=None,
        last_complete_pass_at=None,
    )
    registry = replace(
        a_registry_report(), state="new", referenced_bytes=None, last_success_at=None
    )

    text = text_of(take_inventory([registry], [report], 20_000))

    assert "newest_image" not in text
    assert "baseline" not in text
    assert "last_audit" not in text
    assert "registry_up" not in text
    assert "referenced_bytes" not in text
    assert 'weighbridge_repository_info{registry="hub",repository="shop/api"' in text


def test_a_time_that_no_push_gave_is_not_called_pushed() -> None:
    report = replace(a_repository_report(), newest_by="created", newest_at=NOW)

    text = text_of(take_inventory([a_registry_report()], [report], 20_000))

    assert "pushed_timestamp" not in text


def test_a_registry_that_does_not_answer_is_down() -> None:
    registry = replace(a_registry_report(), state="unreachable")

    text = text_of(take_inventory([registry], [], 20_000))

    assert 'weighbridge_registry_up{registry="hub"} 0\n' in text


def test_a_registry_that_is_not_configured_has_no_series() -> None:
    old = replace(a_registry_report("old"), state="unconfigured")
    rows = [a_repository_report("a/b", "old"), a_repository_report("c/d", "hub")]

    inventory = take_inventory([a_registry_report(), old], rows, 20_000)

    text = text_of(inventory)
    assert 'registry="hub",repository="c/d"' in text
    assert "old" not in text
    assert inventory.omitted == 0


def test_the_numbers_of_a_registry_that_is_not_configured_stay_in_the_sums() -> None:
    old = replace(a_registry_report("old"), state="unconfigured")
    rows = [a_repository_report("a/b", "old"), a_repository_report("c/d", "hub")]

    inventory = take_inventory([a_registry_report(), old], rows, 20_000)

    assert inventory.newest_bytes("old") == 1_082_700_595
    assert inventory.newest_bytes(None) == 2 * 1_082_700_595


def test_how_fresh_a_crawl_is_stands_on_the_other_endpoint_only() -> None:
    text = text_of(take_inventory([a_registry_report()], [], 20_000))

    assert "weighbridge_registry_up" in text
    assert "weighbridge_crawl" not in text


def test_no_tag_digest_or_line_is_a_label() -> None:
    report = a_repository_report()

    text = text_of(take_inventory([a_registry_report()], [report], 20_000))

    assert "1.5.0" not in text
    assert "sha256" not in text
    assert "pip install" not in text


def test_the_budget_is_kept_at_every_size() -> None:
    for count in (0, 1, 10, 60, 100, 400):
        inventory = take_inventory([a_registry_report()], some_rows(count), 400)

        assert series_of(inventory) <= 400
        assert len(inventory.rows) + inventory.omitted == count


def test_first_the_optional_families_go_then_the_lightest_repositories() -> None:
    levels = [
        take_inventory([a_registry_report()], some_rows(count), 400).level
        for count in (50, 60, 96, 97)
    ]

    assert levels == [3, 2, 2, 1]


def test_the_heaviest_stay_and_totals_are_over_all() -> None:
    inventory = take_inventory([a_registry_report()], some_rows(200), 100)

    kept = {row.repository for row in inventory.rows}
    assert kept == {f"r{i}" for i in range(200 - len(kept), 200)}
    assert inventory.newest_bytes(None) == sum(range(1000, 1200))
    assert inventory.newest_bytes("hub") == inventory.newest_bytes(None)
    assert inventory.newest_bytes("other") == 0


def test_neighbours_that_swap_ranks_do_not_come_and_go() -> None:
    rows = some_rows(200)
    first = take_inventory([a_registry_report()], rows, 100)
    lightest, next_one = first.rows[0], rows[-len(first.rows) - 1]
    swapped = [
        replace(row, newest_compressed_bytes=lightest.newest_compressed_bytes)
        if row is next_one
        else replace(row, newest_compressed_bytes=next_one.newest_compressed_bytes)
        if row.repository == lightest.repository
        else row
        for row in rows
    ]

    second = take_inventory(
        [a_registry_report()], swapped, 100, {name_of(row) for row in first.rows}
    )

    assert {name_of(row) for row in first.rows} <= {name_of(row) for row in second.rows}
    assert series_of(second) <= 100


def test_a_budget_for_nothing_shows_registries_only() -> None:
    inventory = take_inventory([a_registry_report()], some_rows(3), 17)

    assert inventory.level == 0
    assert inventory.rows == ()
    assert 'weighbridge_registry_repositories{registry="hub"} 4' in text_of(inventory)
