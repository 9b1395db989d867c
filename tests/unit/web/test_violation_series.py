"""Violations as series, limits that are waived, and the budget that both keep."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.inventory import shown_in, snapshot_of
from support.many_repositories import add_repositories, some_names
from support.policies import a_policy
from support.promtool import promtool
from support.store_world import T0
from support.violations import Violations, waived
from weighbridge.domain.policy.policy import PolicySet, Severity
from weighbridge.domain.series_budget import (
    CORE_SERIES,
    EXPORTER_SERIES,
    REGISTRY_SERIES,
    Budget,
    ladder,
    room_of,
)
from weighbridge.domain.series_budget import (
    Violations as Needed,
)
from weighbridge.store.models import registries
from weighbridge.store.session import Database
from weighbridge.store.violations.waivers import revoke_waiver
from weighbridge.web.metrics.snapshot import REFRESH_S, SnapshotKeeper, checked

DAY = timedelta(days=1)
POLICIES = PolicySet(
    [a_policy("all", max_compressed=500, max_growth=0.25, min_growth=50)]
)


def samples(text: str, word: str) -> list[str]:
    return [line for line in text.splitlines() if word in line and line[0] != "#"]


def test_open_violations_are_counted_by_severity_and_by_policy(
    database: Database,
) -> None:
    numbers = add_repositories(database, ["a", "b"])
    made = Violations(database)
    made.open(numbers["a"])
    made.open(numbers["a"], policy="other", is_silent=True)
    made.open(numbers["a"], severity="critical")
    made.open(numbers["b"])
    made.close(made.open(numbers["b"], severity="info"))

    text = snapshot_of(database, now=T0.timestamp()).text.plain.decode()

    name = "weighbridge_repository_policy_violations"
    assert samples(text, name) == [
        f'{name}{{registry="hub",repository="a",severity="critical"}} 1',
        f'{name}{{registry="hub",repository="a",severity="warning"}} 2',
        f'{name}{{registry="hub",repository="b",severity="warning"}} 1',
    ]
    name = "weighbridge_policy_violating_repositories"
    assert samples(text, name) == [
        f'{name}{{policy="other",severity="warning"}} 1',
        f'{name}{{policy="services",severity="critical"}} 1',
        f'{name}{{policy="services",severity="warning"}} 2',
    ]
    assert promtool(text.encode()) == ""


def test_where_nothing_is_exceeded_there_is_no_series(database: Database) -> None:
    add_repositories(database, ["a"])

    text = snapshot_of(database).text.plain.decode()

    assert "violati" not in text


def test_what_is_waived_is_neither_counted_nor_compared(database: Database) -> None:
    numbers = add_repositories(database, ["a", "b"])
    made = Violations(database)
    made.open(numbers["a"])
    made.open(numbers["b"])
    waived(database, "a", T0, limit_key="max_compressed")
    waived(database, "b", T0, limit_key="max_growth")

    with_waivers = snapshot_of(database, now=T0.timestamp(), policies=POLICIES)
    later = (T0 + 31 * DAY).timestamp()
    after = snapshot_of(database, now=later, policies=POLICIES)

    text = with_waivers.text.plain.decode()
    limits = [line.rpartition("_repository_")[2] for line in samples(text, "_limit_")]
    assert limits == [
        'compressed_limit_bytes{registry="hub",repository="b"} 500',
        'growth_limit_ratio{registry="hub",repository="a"} 0.25',
    ]
    assert len(samples(text, "growth_minimum_bytes")) == 1
    (counted,) = samples(text, "policy_violations")
    assert counted.endswith('{registry="hub",repository="b",severity="warning"} 1')
    assert len(samples(after.text.plain.decode(), "_limit_")) == 4
    assert len(samples(after.text.plain.decode(), "policy_violations")) == 2


class Clock:
    def __init__(self) -> None:
        self.now = T0.timestamp()

    def __call__(self) -> float:
        return self.now


def test_a_waiver_that_is_new_revoked_or_over_is_noticed(database: Database) -> None:
    add_repositories(database, ["a"])
    clock = Clock()
    keeper = SnapshotKeeper(
        database, Budget(), policies=lambda: POLICIES, clock=clock, wall=clock
    )

    def limits() -> int:
        clock.now += REFRESH_S
        text = keeper.current().rendered.plain.decode()
        return len(samples(text, "compressed_limit_bytes"))

    seen = [limits()]
    first = waived(database, "a", T0)
    seen.append(limits())
    with database.write() as connection:
        revoke_waiver(
            connection, first.id, "ops", datetime.fromtimestamp(clock.now, UTC)
        )
    seen.append(limits())
    waived(database, "*", T0, days=1)
    seen.append(limits())
    clock.now += DAY.total_seconds()
    seen.append(limits())

    assert seen == [1, 0, 1, 0, 1]


def test_a_violation_alone_renders_the_inventory_anew(database: Database) -> None:
    numbers = add_repositories(database, ["a"])
    clock = Clock()
    keeper = SnapshotKeeper(database, Budget(), clock=clock, wall=clock)
    made = Violations(database)

    def counted() -> int:
        clock.now += REFRESH_S
        text = keeper.current().rendered.plain.decode()
        return len(samples(text, "policy_violations"))

    seen = [counted()]
    opened = made.open(numbers["a"])
    seen.append(counted())
    made.close(opened)
    seen.append(counted())

    assert seen == [0, 1, 0]


def test_a_registry_that_is_not_configured_has_no_violations_either(
    database: Database,
) -> None:
    numbers = add_repositories(database, ["a"])
    Violations(database).open(numbers["a"])
    with database.write() as connection:
        connection.execute(registries.update().values(state="unconfigured"))

    assert "violati" not in snapshot_of(database).text.plain.decode()


def test_metrics_001_hostile_names_are_escaped_in_every_label(
    database: Database,
) -> None:
    numbers = add_repositories(database, ["a"])
    Violations(database).open(numbers["a"], policy='a"} 1\n\u202e')

    text = snapshot_of(database).text.plain.decode()

    assert promtool(text.encode()) == ""
    assert 'policy="a\\"} 1' in text
    assert "\u202e" not in text


def test_the_part_of_a_registry_has_no_totals_over_all(database: Database) -> None:
    numbers = add_repositories(database, ["a"])
    Violations(database).open(numbers["a"])

    part = snapshot_of(database).text.of_registry("hub").decode()

    assert "weighbridge_repository_policy_violations{" in part
    assert "weighbridge_policy_violating_repositories" not in part


@pytest.mark.parametrize("count", [1, 10, 11, 40])
@pytest.mark.parametrize("violating", [0, 1, 5, 40])
def test_violations_count_in_the_budget(
    database: Database, count: int, violating: int
) -> None:
    numbers = add_repositories(database, some_names(count))
    made = Violations(database)
    severities: Iterator[Severity] = cycle(("warning", "critical", "info"))
    for number in list(numbers.values())[:violating]:
        made.open(number, severity=next(severities))
    budget = Budget(EXPORTER_SERIES + REGISTRY_SERIES + 10 * (CORE_SERIES + 2))

    snapshot = snapshot_of(database, budget, policies=POLICIES)

    whole = checked(snapshot, 7, budget).rendered.plain.decode()
    lines = [line for line in whole.splitlines() if not line.startswith("#")]
    assert len(lines) <= budget.max_series
    assert snapshot.text.series + EXPORTER_SERIES == len(lines)
    assert snapshot.choice.exposed + snapshot.choice.omitted == count


def test_who_violates_stays_when_not_all_fit(database: Database) -> None:
    numbers = add_repositories(database, some_names(100))
    made = Violations(database)
    made.open(numbers["r0"])
    made.open(numbers["r3"])
    waived(database, "r3", T0)

    shown = shown_in(snapshot_of(database, Budget(100), now=T0.timestamp()))

    assert "r0" in shown
    assert "r3" not in shown
    assert "r99" in shown


@given(
    st.integers(0, 3_000),
    st.integers(0, 5),
    st.integers(0, 300),
    st.integers(0, 4),
    st.integers(0, 3),
    st.integers(0, 900),
    st.integers(0, 50),
)
def test_no_level_of_the_ladder_passes_the_budget(
    max_series: int,
    registries_: int,
    repositories: int,
    limits: int,
    kinds: int,
    violations: int,
    policies: int,
) -> None:
    violations = min(violations, repositories * kinds)
    needed = Needed(violations, kinds, policies)

    step = ladder(
        Budget(max_series), registries_, repositories, limits=limits, violations=needed
    )

    room = max(0, room_of(max_series, registries_) - policies)
    core = CORE_SERIES + limits
    if step.level >= 2:
        assert repositories * core + violations <= room
    else:
        assert step.most * (core + kinds) <= room
        assert repositories > step.most
