"""How many series fit, and where the ladder stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.series_budget import (
    CORE_SERIES,
    EXPORTER_SERIES,
    REGISTRY_SERIES,
    Budget,
    Family,
    ladder,
)

ALL: tuple[Family, ...] = ("largest", "tags", "pushed", "audited")
ROOM = 20_000 - EXPORTER_SERIES - REGISTRY_SERIES


@pytest.mark.parametrize(
    ("repositories", "families", "level"),
    [
        (0, (), 3),
        (ROOM // CORE_SERIES, (), 3),
        (ROOM // CORE_SERIES + 1, (), 1),
        (ROOM // (CORE_SERIES + 4), ALL, 3),
        (ROOM // (CORE_SERIES + 4) + 1, ALL, 2),
        (ROOM // CORE_SERIES, ALL, 2),
        (ROOM // CORE_SERIES + 1, ALL, 1),
    ],
)
def test_first_the_optional_families_go_then_repositories(
    repositories: int, families: tuple[Family, ...], level: int
) -> None:
    assert ladder(Budget(families=families), 1, repositories).level == level


def test_where_not_one_repository_fits_registries_are_all_there_is() -> None:
    tight = EXPORTER_SERIES + REGISTRY_SERIES
    assert ladder(Budget(max_series=tight), 1, 3).level == 0


@pytest.mark.parametrize(
    ("repositories", "families", "level"),
    [
        (ROOM // (CORE_SERIES + 4), ALL, 2),
        (int(ROOM / (CORE_SERIES + 4) / 1.2), ALL, 3),
        (ROOM // CORE_SERIES, (), 3),
    ],
)
def test_families_that_left_come_back_where_they_fit_with_room(
    repositories: int, families: tuple[Family, ...], level: int
) -> None:
    budget = Budget(families=families)

    assert ladder(budget, 1, repositories, was_below=True).level == level


@given(
    st.integers(1, 10**6),
    st.integers(0, 500),
    st.integers(0, 10**6),
    st.sets(st.sampled_from(ALL)),
    st.booleans(),
)
def test_the_budget_is_kept_at_every_size(
    max_series: int,
    registries: int,
    repositories: int,
    families: set[Family],
    was_below: bool,
) -> None:
    budget = Budget(max_series, families=tuple(families))

    step = ladder(budget, registries, repositories, was_below=was_below)

    each = {3: CORE_SERIES + len(families), 2: CORE_SERIES, 1: CORE_SERIES, 0: 0}
    shown = repositories if step.level >= 2 else step.most
    series = EXPORTER_SERIES + REGISTRY_SERIES * registries + shown * each[step.level]
    # Registries are shown even where they alone are too many.
    assert series <= max(max_series, EXPORTER_SERIES + REGISTRY_SERIES * registries)
    assert step.enter <= step.most
