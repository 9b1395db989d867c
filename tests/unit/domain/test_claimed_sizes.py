"""A gate's answer where a manifest says one thing and the registry another, or none."""

import pytest

from support.checks import MB, a_check, an_image_of, before
from support.read_model import a_weighed_image, a_weighed_layer, measured
from weighbridge.domain.check.image_check import Outcome
from weighbridge.domain.size.weighing import WeighedImage, claim_words, doubts_of


def disputed(registry: int, claim: int) -> WeighedImage:
    """MB by the registry's word, and by the manifest's."""
    layer = a_weighed_layer(
        "layer", registry * MB, measured(registry * MB), claimed_bytes=claim * MB
    )
    return a_weighed_image([layer], [("COPY . /", 0)])


def claimed(size: int, reason: str = "no_length") -> WeighedImage:
    """One layer that the registry knows, and one that only the manifest does."""
    known = a_weighed_layer("known", 10 * MB, measured(10 * MB))
    other = a_weighed_layer("other", size * MB, measured(0), claim_reason=reason)
    return a_weighed_image([known, other], [("ADD . /", 0), ("COPY . /", 1)])


@pytest.mark.parametrize(
    ("registry", "claim", "outcome"), [(300, 1, "fail"), (1, 300, "pass")]
)
def test_what_the_registry_holds_is_judged_whatever_the_manifest_says(
    registry: int, claim: int, outcome: Outcome
) -> None:
    image = disputed(registry, claim)

    assert a_check(image, max_compressed=100 * MB).outcome == outcome
    assert a_check(image, max_layer_compressed=100 * MB).outcome == outcome


@pytest.mark.parametrize(
    "limits",
    [
        {"max_compressed": 100 * MB},
        {"max_layer_compressed": 100 * MB},
        {"max_uncompressed": 100 * MB},
    ],
)
def test_a_size_that_is_only_claimed_is_no_pass(limits: dict[str, int]) -> None:
    image = claimed(1)

    assert a_check(image, limits=limits).outcome == "unknown"
    assert a_check(image, limits=limits, allow_unknown=True).outcome == "warn"


def test_a_limit_that_is_exceeded_by_what_is_claimed_is_exceeded() -> None:
    check = a_check(claimed(200), max_compressed=100 * MB, allow_unknown=True)

    assert check.outcome == "fail"


def test_a_limit_on_layers_needs_no_word_of_the_registry() -> None:
    assert a_check(claimed(1), max_layers=2).outcome == "pass"


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("foreign", "pass"), ("not_found", "unknown"), ("deadline", "unknown")],
)
def test_only_foreign_layers_may_be_believed(reason: str, outcome: Outcome) -> None:
    image = claimed(1, reason)

    assert a_check(image, max_compressed=100 * MB).outcome == "unknown"
    check = a_check(image, max_compressed=100 * MB, allow_foreign=True)
    assert check.outcome == outcome


def test_growth_from_an_image_that_is_only_claimed_is_not_known() -> None:
    limits = {"max_growth": 0.5}

    known = a_check(an_image_of(10), against=before(an_image_of(10)), limits=limits)
    unsure = a_check(an_image_of(10), against=before(claimed(900)), limits=limits)

    assert (known.outcome, unsure.outcome) == ("pass", "unknown")


def test_each_layer_in_doubt_has_a_sentence_with_both_figures() -> None:
    first, second = doubts_of([disputed(3, 0), claimed(1)])

    assert first.endswith(
        "the manifest says 0 bytes, the registry says 3,000,000 bytes; the registry's"
        " figure is used"
    )
    assert second.endswith(
        "the manifest says 1,000,000 bytes, not confirmed: the registry gave no length"
    )
    assert doubts_of([an_image_of(10)]) == []


def test_a_thousand_layers_in_doubt_are_no_thousand_sentences() -> None:
    layers = [a_weighed_layer(n, 1, claim_reason="foreign") for n in range(1_000)]

    doubts = doubts_of([a_weighed_image(layers, [])])

    assert len(doubts) == 11
    assert doubts[-1] == "the same is true of 990 more of its layers"


def test_every_reason_is_said_in_words() -> None:
    assert "foreign" in claim_words("foreign")
    assert claim_words("rate_limited").endswith("could not be asked (rate limited)")
