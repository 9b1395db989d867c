"""What limits would flag: the worst first, with how many of how many."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from weighbridge.domain.policy.policy import LimitedNumbers, Limits
from weighbridge.domain.policy.simulation import (
    SimulatedImage,
    keys_of,
    simulate_limits,
)

MB = 1_000_000


def an_image(repository: str = "shop/api", **measured: int | None) -> SimulatedImage:
    numbers = replace(LimitedNumbers(compressed_bytes=100 * MB), **measured)
    return SimulatedImage("hub", repository, "1", "linux/amd64", numbers)


def test_the_worst_comes_first_and_says_how_much_it_is_over() -> None:
    images = [
        an_image("a", compressed_bytes=600 * MB),
        an_image("b", compressed_bytes=500 * MB),
        an_image("c", compressed_bytes=2_000 * MB),
    ]

    simulation = simulate_limits(Limits(max_compressed_bytes=500 * MB), images)

    found = [(f.image.repository, f.finding.excess) for f in simulation.flagged]
    assert found == [("c", 1_500 * MB), ("a", 100 * MB)]
    assert (simulation.repositories, simulation.exceeding) == (3, 2)
    assert simulation.by_key == {"max_compressed": 2}


def test_a_repository_counts_once_though_it_exceeds_two_limits() -> None:
    image = an_image(compressed_bytes=600 * MB, layers=70)

    simulation = simulate_limits(
        Limits(max_compressed_bytes=500 * MB, max_layers=60), [image]
    )

    assert simulation.exceeding == 1
    assert simulation.by_key == {"max_compressed": 1, "max_layers": 1}
    assert [f.finding.key for f in simulation.flagged] == [
        "max_compressed",
        "max_layers",
    ]


def test_growth_below_the_minimum_is_not_flagged() -> None:
    limits = Limits(max_growth=0.25, min_growth_bytes=50 * MB)
    images = [
        an_image("a", compressed_bytes=149 * MB, baseline_compressed_bytes=100 * MB),
        an_image("b", compressed_bytes=150 * MB, baseline_compressed_bytes=100 * MB),
        an_image("c", compressed_bytes=900 * MB),
    ]

    simulation = simulate_limits(limits, images)

    assert [f.image.repository for f in simulation.flagged] == ["b"]


def test_what_is_not_known_is_counted_and_not_flagged() -> None:
    images = [
        an_image("a", uncompressed_bytes=2_000 * MB),
        an_image("b"),
        SimulatedImage("hub", "chart", None, None, LimitedNumbers()),
    ]

    simulation = simulate_limits(Limits(max_uncompressed_bytes=1_000 * MB), images)

    assert [f.image.repository for f in simulation.flagged] == ["a"]
    assert simulation.unknown == {"max_uncompressed": 1}
    assert simulation.repositories == 3


def test_a_repository_without_an_image_may_hold_too_much() -> None:
    image = SimulatedImage(
        "hub", "charts", None, None, LimitedNumbers(deduplicated_bytes=9)
    )

    simulation = simulate_limits(Limits(max_deduplicated_bytes=5), [image])

    assert simulation.by_key == {"max_deduplicated": 1}


def test_only_the_limits_that_are_set_are_counted() -> None:
    limits = Limits(max_layers=3, min_growth_bytes=5, team="shop")

    assert keys_of(limits) == ("max_layers",)
    assert simulate_limits(limits, []).by_key == {"max_layers": 0}


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 50))
def test_whoever_is_above_the_limit_is_flagged_and_nobody_else(
    sizes: list[int], limit: int
) -> None:
    images = [an_image(f"r{n}", compressed_bytes=b) for n, b in enumerate(sizes)]

    simulation = simulate_limits(Limits(max_compressed_bytes=limit), images)

    amounts = [flagged.finding.amount for flagged in simulation.flagged]
    assert amounts == sorted((b for b in sizes if b > limit), reverse=True)
    assert simulation.exceeding == len(amounts)
