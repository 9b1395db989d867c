"""Limits as series of their own, and the team of a repository."""

import pytest

from support.inventory import snapshot_of
from support.many_repositories import add_repositories, change, some_names
from support.policies import a_policy
from support.promtool import promtool
from weighbridge.domain.policy.policy import NO_POLICIES, Match, PolicySet, policy_set
from weighbridge.domain.series_budget import (
    CORE_SERIES,
    EXPORTER_SERIES,
    REGISTRY_SERIES,
    Budget,
)
from weighbridge.store.session import Database
from weighbridge.web.metrics.snapshot import REFRESH_S, Snapshot, SnapshotKeeper

NAME = 'registry="hub",repository="r0"'
ALL_LIMITS = a_policy(
    "all",
    team="shop",
    max_compressed=500,
    max_uncompressed=1_200,
    max_growth=0.125,
    min_growth=50,
)


def shown_with(
    database: Database, policies: PolicySet, budget: Budget | None = None
) -> Snapshot:
    return snapshot_of(database, budget, policies=policies)


def test_every_limit_that_a_policy_sets_is_a_series(database: Database) -> None:
    add_repositories(database, ["r0"])

    text = shown_with(database, PolicySet([ALL_LIMITS])).text.plain.decode()

    for line in (
        f"weighbridge_repository_compressed_limit_bytes{{{NAME}}} 500",
        f"weighbridge_repository_uncompressed_limit_bytes{{{NAME}}} 1200",
        f"weighbridge_repository_growth_limit_ratio{{{NAME}}} 0.125",
        f"weighbridge_repository_growth_minimum_bytes{{{NAME}}} 50",
        f'weighbridge_repository_info{{{NAME},platform="linux/amd64",team="shop"}} 1',
    ):
        assert f"{line}\n" in text
    assert promtool(text.encode()) == ""


def test_a_limit_that_no_policy_sets_is_absent(database: Database) -> None:
    add_repositories(database, ["r0", "r1"])
    policies = PolicySet(
        [
            a_policy("free", Match(repository="r1"), max_compressed=None),
            a_policy("all", max_compressed=500),
        ]
    )

    text = shown_with(database, policies).text.plain.decode()

    limits = [line for line in text.splitlines() if "_limit_" in line]
    assert [line for line in limits if not line.startswith("#")] == [
        f"weighbridge_repository_compressed_limit_bytes{{{NAME}}} 500"
    ]
    assert "team=" not in text


def test_the_default_policy_is_exported_too(database: Database) -> None:
    add_repositories(database, ["r0"])

    text = shown_with(database, policy_set([])).text.plain.decode()

    assert f"growth_limit_ratio{{{NAME}}} 0.25\n" in text
    assert f"growth_minimum_bytes{{{NAME}}} 50000000\n" in text


def test_the_tag_of_the_newest_image_decides(database: Database) -> None:
    ids = add_repositories(database, ["r0", "r1"])
    change(database, ids["r0"], newest_tag="2.0-dev")
    policies = PolicySet(
        [
            a_policy("dev", Match(tag="*-dev"), max_compressed=900),
            a_policy("rest", max_compressed=500),
        ]
    )

    text = shown_with(database, policies).text.plain.decode()

    assert f"compressed_limit_bytes{{{NAME}}} 900\n" in text
    assert 'compressed_limit_bytes{registry="hub",repository="r1"} 500\n' in text


def test_metrics_001_a_team_is_escaped_like_any_label(database: Database) -> None:
    add_repositories(database, ["r0"])
    policies = PolicySet([a_policy("odd", team='a"} 1\\')])

    text = shown_with(database, policies).text.plain.decode()

    assert 'team="a\\"} 1\\\\"} 1\n' in text
    assert promtool(text.encode()) == ""


@pytest.mark.parametrize("count", [1, 10, 11, 40])
def test_limits_count_in_the_budget(database: Database, count: int) -> None:
    add_repositories(database, some_names(count))
    room = 10 * (CORE_SERIES + 4)
    budget = Budget(EXPORTER_SERIES + REGISTRY_SERIES + room)

    shown = shown_with(database, PolicySet([ALL_LIMITS]), budget)
    without = shown_with(database, NO_POLICIES, budget)

    assert shown.text.series + EXPORTER_SERIES <= budget.max_series
    assert shown.choice.level == (3 if count <= 10 else 1)
    assert without.choice.level == (3 if count <= 16 else 1)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_other_policies_show_at_once_though_nothing_else_changed(
    database: Database,
) -> None:
    add_repositories(database, ["r0"])
    clock = Clock()
    in_force = [PolicySet([a_policy("a", max_compressed=500)])]
    keeper = SnapshotKeeper(
        database, Budget(), policies=lambda: in_force[0], clock=clock, wall=clock
    )
    first = keeper.current()
    in_force[0] = PolicySet([a_policy("a", max_compressed=700)])

    second = keeper.current()
    third = keeper.current()

    assert b"compressed_limit_bytes{%b} 500\n" % NAME.encode() in first.rendered.plain
    assert b"compressed_limit_bytes{%b} 700\n" % NAME.encode() in second.rendered.plain
    assert third is second


def test_the_same_policies_are_not_rendered_again(database: Database) -> None:
    add_repositories(database, ["r0"])
    clock, policies = Clock(), PolicySet([ALL_LIMITS])
    keeper = SnapshotKeeper(
        database, Budget(), policies=lambda: policies, clock=clock, wall=clock
    )
    first = keeper.current()

    clock.now += REFRESH_S

    assert keeper.current().body is first.body
