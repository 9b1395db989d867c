"""One entry for several accounts and regions of Amazon ECR, and what `registry check`
says of rights."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.ecr_replica.configured import ecr_settings, parted_settings
from support.ecr_replica.serving import ecr_replica
from support.ecr_replica.state import ACCOUNT, REGION, SECRET, ECRState, an_ecr
from support.platform_content import platform_content
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.one_image.registry_check import check_registries
from weighbridge.bootstrap.registries.targets import find_targets, image_of
from weighbridge.cli.actions import registry_check
from weighbridge.config import Settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.errors import UsageError
from weighbridge.presentation.forms.screen import Screen
from weighbridge.store.reports.inventory import registry_reports
from weighbridge.store.session import open_database

SHOP = "shop/cart"
OTHER = "444455556666"
FAR = "us-east-1"
PLACES = [(a, r) for a in (ACCOUNT, OTHER) for r in (REGION, FAR)]
NAMES = [f"cloud-{account}-{region}" for account, region in PLACES]
ACTIONS = {
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
}


@pytest.fixture
def four() -> Iterator[list[ECRState]]:
    """Two accounts in two regions, each with one tag more than the one before it."""
    with ExitStack() as stack:
        served = []
        for tags, (account, region) in enumerate(PLACES, start=1):
            ecr = an_ecr(platform_content(SHOP, tags=tags, tags_per_image=1))
            ecr.account, ecr.region = account, region
            served.append(stack.enter_context(ecr_replica(ecr)))
        yield served
    assert [each.violations for each in served] == [[]] * len(served)


@pytest.fixture
def settings(four: list[ECRState], tmp_path: Path) -> Settings:
    return parted_settings(tmp_path, four, f"sqlite:///{tmp_path / 'weighbridge.db'}")


def crawled(settings: Settings, *names: str) -> dict[str, RegistryCrawl]:
    report = crawl(settings, names, measure=False, progress=Progress())
    return {done.name: done for done in report.registries}


def test_the_name_of_the_entry_means_each_account_in_each_region(
    four: list[ECRState], settings: Settings
) -> None:
    """The replicas refuse signatures of another region and ids of another account."""
    done = crawled(settings, "cloud")

    assert [(name, one.state, one.tags) for name, one in done.items()] == [
        (name, "ok", tags) for tags, name in enumerate(NAMES, start=1)
    ]
    assert crawled(settings).keys() == done.keys()
    assert crawled(settings, NAMES[1]).keys() == {NAMES[1]}


def test_each_is_a_registry_of_its_own_in_the_database(
    four: list[ECRState], settings: Settings
) -> None:
    crawled(settings, "cloud")

    database = open_database(settings.database_url.reveal())
    try:
        with database.read() as connection:
            reports = {r.name: r for r in registry_reports(connection)}
    finally:
        database.close()
    assert reports.keys() == set(NAMES)
    # The same images in each: what is kept in one is shared with no other.
    assert all(report.shared_bytes == 0 for report in reports.values())


def test_an_account_that_refuses_stops_no_other_and_is_named(
    four: list[ECRState], settings: Settings
) -> None:
    four[2].denied = {"DescribeRepositories"}
    four[3].keys = {}

    done = crawled(settings, "cloud")

    assert [done[name].state for name in NAMES[:2]] == ["ok", "ok"]
    (denied,) = done[NAMES[2]].faults
    assert denied.code == "denied"
    assert f"DescribeRepositories in {REGION} for the account {OTHER}" in denied.message
    (unknown,) = done[NAMES[3]].faults
    assert unknown.code == "unauthorized"
    assert f"in {FAR} for the account {OTHER}" in unknown.message


def test_one_that_is_asked_for_alone_has_to_be_named(
    four: list[ECRState], settings: Settings
) -> None:
    """What looks like a repository of Docker Hub is not asked for there."""
    for ask in (
        lambda: find_targets(settings, [f"cloud/{SHOP}"]),
        lambda: image_of(settings, f"cloud/{SHOP}:1.0"),
    ):
        with pytest.raises(UsageError, match="cloud is 4 registries") as caught:
            ask()
        assert all(name in (caught.value.hint or "") for name in NAMES)


def test_a_check_tries_each_and_names_what_is_refused(
    four: list[ECRState], settings: Settings, tmp_path: Path
) -> None:
    four[1].denied = {"BatchGetImage"}
    four[2].denied = {"GetAuthorizationToken"}
    four[3].denied = {"GetDownloadUrlForLayer"}

    done = check_registries(settings, "cloud", None, 60)

    assert [each.name for each in done] == NAMES
    assert [each.has_failed for each in done] == [False, True, True, True]
    told = json.loads(registry_check.printed(done, "json", Screen()))
    rights = [each["rights"] for each in told]
    assert set(rights[0]["used"]) == ACTIONS
    assert [each["refused"] for each in rights] == [
        [],
        ["ecr:BatchGetImage"],
        ["ecr:GetAuthorizationToken"],
        ["ecr:GetDownloadUrlForLayer"],
    ]
    for each in rights:
        assert set(each["used"] + each["refused"] + each["not_tried"]) == ACTIONS
    text = registry_check.printed(done, "table", Screen())
    assert "rights refused: ecr:BatchGetImage" in text
    assert "rights not tried: " in text
    rows = registry_check.printed(done, "csv", Screen()).splitlines()
    assert rows[0].startswith("registry,step,")
    assert len(rows) == 1 + 4 * 4
    assert SECRET not in text


def test_a_check_of_a_single_one_is_told_as_it_was(
    four: list[ECRState], tmp_path: Path
) -> None:
    settings = ecr_settings(tmp_path, four[0], f"sqlite:///{tmp_path / 'w.db'}")

    done = check_registries(settings, "cloud", None, 60)

    told = json.loads(registry_check.printed(done, "json", Screen()))
    assert (told["registry"], set(told["rights"]["used"])) == ("cloud", ACTIONS)
