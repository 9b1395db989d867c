"""A gate's answer: what passes, what does not, and what nobody can say."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from support.checks import MB, a_check, an_image_of, before
from support.policies import a_policy
from support.read_model import (
    ARM,
    a_weighed_image,
    a_weighed_layer,
    a_weighing,
    unknown,
)
from weighbridge.domain.check.image_check import (
    Earlier,
    EarlierImage,
    ImageCheck,
    Rules,
    by_outcome,
    checked,
    rules_of,
)
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.size.weighing import WeighedImage


def of_unknown_size(compressed: int = 100) -> WeighedImage:
    return a_weighed_image(
        [a_weighed_layer("zstd", compressed * MB, unknown())],
        [("COPY . /", 0)],
        uncompressed=unknown(),
    )


def estimated(low: int, value: int, high: int) -> WeighedImage:
    size = Uncompressed("estimate", value * MB, low * MB, high * MB, "multi_member")
    return replace(an_image_of(10), uncompressed=size)


def rules_with(recent: list[tuple[str, int]], **limits: float) -> Rules:
    rules = rules_of(PolicySet([a_policy("p", None, **limits)]), "hub", "a", "1")
    images = [EarlierImage(digest, size * MB) for digest, size in recent]
    known = {"linux/amd64": images} if images else {}
    return replace(rules, earlier=Earlier(known, is_known=True))


@pytest.mark.parametrize(
    ("limit", "outcome"), [(99, "fail"), (100, "pass"), (101, "pass"), (500, "pass")]
)
def test_an_image_of_exactly_its_limit_passes(limit: int, outcome: str) -> None:
    check = a_check(an_image_of(60, 40), max_compressed=limit * MB)

    assert check.outcome == outcome


@pytest.mark.parametrize(
    ("limits", "outcome"),
    [
        ({"max_layers": 1}, "fail"),
        ({"max_layers": 2}, "pass"),
        ({"max_layer_compressed": 59 * MB}, "fail"),
        ({"max_layer_compressed": 60 * MB}, "pass"),
        ({"max_uncompressed": 299 * MB}, "fail"),
        ({"max_uncompressed": 300 * MB}, "pass"),
    ],
)
def test_each_limit_is_held_against_its_own_number(
    limits: dict[str, int], outcome: str
) -> None:
    assert a_check(an_image_of(60, 40), limits=limits).outcome == outcome


@pytest.mark.parametrize(
    ("bounds", "outcome"),
    [((90, 95, 99), "pass"), ((90, 110, 120), "warn"), ((101, 110, 120), "fail")],
)
def test_an_estimate_fails_by_its_low_bound_and_warns_by_its_high_one(
    bounds: tuple[int, int, int], outcome: str
) -> None:
    check = a_check(estimated(*bounds), max_uncompressed=100 * MB)

    assert check.outcome == outcome


def test_an_unknown_size_is_no_pass_unless_it_is_allowed() -> None:
    strict = a_check(of_unknown_size(), max_uncompressed=900 * MB)
    lenient = a_check(of_unknown_size(), max_uncompressed=900 * MB, allow_unknown=True)

    assert (strict.outcome, lenient.outcome) == ("unknown", "warn")


def test_an_unknown_size_does_not_matter_where_no_limit_is_about_it() -> None:
    assert a_check(of_unknown_size(), max_compressed=900 * MB).outcome == "pass"


def test_a_limit_that_is_exceeded_for_sure_decides_over_an_unknown_platform() -> None:
    heavy = an_image_of(500, platform=ARM)
    limits: dict[str, float] = {"max_compressed": 200 * MB, "max_uncompressed": 9**12}

    check = a_check(of_unknown_size(), heavy, limits=limits)

    assert [image.outcome for image in check.images] == ["unknown", "fail"]
    assert check.outcome == "fail"
    assert [each.image.platform for each in by_outcome(check.images)] == [ARM, DEFAULT]


def test_growth_is_counted_from_the_same_platform_of_the_other_image() -> None:
    old = before(an_image_of(100), an_image_of(300, platform=ARM))

    check = a_check(
        an_image_of(120), an_image_of(310, platform=ARM), against=old, max_growth=0.1
    )

    assert [image.outcome for image in check.images] == ["fail", "pass"]
    assert [image.grown_bytes for image in check.images] == [20 * MB, 10 * MB]


def test_growth_below_the_least_that_counts_passes() -> None:
    check = a_check(
        an_image_of(120),
        against=before(an_image_of(100)),
        max_growth=0.1,
        min_growth=21 * MB,
    )

    assert check.outcome == "pass"


def test_platforms_that_only_one_of_both_has_are_told_and_fail_nothing() -> None:
    windows = Platform("windows", "amd64")

    check = a_check(
        an_image_of(100),
        an_image_of(999, platform=ARM),
        against=before(an_image_of(100), an_image_of(9, platform=windows)),
        max_growth=0.1,
    )

    assert check.outcome == "pass"
    assert (check.not_before, check.missing) == ((ARM,), (windows,))
    assert check.without_baseline == ()


def test_a_listed_platform_that_could_not_be_read_is_no_pass() -> None:
    weighing = replace(a_weighing(an_image_of(1)), platforms=(DEFAULT, ARM))
    rules = rules_with([], max_compressed=MB * 100)

    everything = checked(weighing, None, rules)
    one = checked(weighing, None, rules, platform=DEFAULT)

    assert (everything.outcome, everything.not_weighed) == ("unknown", (ARM,))
    assert (one.outcome, one.not_weighed) == ("pass", ())


def test_growth_is_counted_from_the_median_that_a_service_knows() -> None:
    recent = [("c", 300), ("b", 100), ("a", 90)]

    check = checked(
        a_weighing(an_image_of(120)), None, rules_with(recent, max_growth=0.1)
    )

    assert check.images[0].baseline_compressed_bytes == 100 * MB
    assert check.outcome == "fail"


def test_an_image_that_the_service_knows_already_is_not_compared_with_itself() -> None:
    image = an_image_of(120)
    recent = [("newer", 900), (image.digest, 120), ("c", 130), ("b", 110), ("a", 90)]

    check = checked(a_weighing(image), None, rules_with(recent, max_growth=0.1))

    assert check.images[0].baseline_compressed_bytes == 110 * MB
    assert check.outcome == "pass"


@pytest.mark.parametrize("known", [0, 1, 2])
def test_growth_from_too_few_images_is_told_and_not_failed(known: int) -> None:
    recent = [(str(number), 1) for number in range(known)]

    check = checked(
        a_weighing(an_image_of(999)), None, rules_with(recent, max_growth=0.1)
    )

    assert check.outcome == "pass"
    assert [image.platform for image in check.without_baseline] == [DEFAULT]


def test_growth_is_not_judged_where_earlier_images_cannot_be_known() -> None:
    strict = a_check(an_image_of(100), max_growth=0.1)
    lenient = a_check(an_image_of(100), max_growth=0.1, allow_unknown=True)

    assert (strict.outcome, lenient.outcome) == ("unknown", "warn")
    (held,) = strict.images[0].held
    assert (held.finding.key, held.limit_amount) == ("max_growth", None)
    assert strict.without_baseline == ()


def test_a_limit_that_is_exceeded_fails_whatever_is_not_judged() -> None:
    check = a_check(an_image_of(100), max_growth=0.1, max_compressed=MB)

    assert check.outcome == "fail"


def test_a_platform_that_is_not_kept_is_not_judged_unless_nothing_is_there() -> None:
    here = [EarlierImage("a", MB)]
    amd64 = frozenset({"linux/amd64"})
    rules = rules_of(PolicySet([a_policy("p", None, max_growth=0.1)]), "hub", "a", "1")

    def of_arm(earlier: Earlier) -> ImageCheck:
        weighing = a_weighing(an_image_of(100, platform=ARM))
        return checked(weighing, None, replace(rules, earlier=earlier))

    other = of_arm(Earlier({"linux/amd64": here}, is_known=True, platforms=amd64))
    nothing = of_arm(Earlier({}, is_known=True, platforms=amd64))
    unread = of_arm(Earlier({}, is_known=False, platforms=amd64))

    assert [check.outcome for check in (other, nothing, unread)] == [
        "unknown",
        "pass",
        "unknown",
    ]
    assert "images of linux/arm64" in other.rules.earlier.why_unknown("linux/arm64")


def test_what_is_waived_is_a_warning() -> None:
    until = datetime(2026, 12, 1, tzinfo=UTC)
    rules = rules_with([], max_compressed=MB, max_uncompressed=MB)
    rules = replace(rules, waived={"max_compressed": until})

    check = checked(a_weighing(an_image_of(2)), None, rules)

    outcomes = {held.finding.key: held.outcome for held in check.images[0].held}
    assert outcomes == {"max_compressed": "warn", "max_uncompressed": "fail"}


def test_a_limit_of_the_repository_is_none_of_an_image() -> None:
    check = a_check(an_image_of(5), max_deduplicated=1)

    assert check.rules.keys == ()
    assert check.images[0].held == ()


def test_the_cause_is_what_changed_since_the_other_image() -> None:
    check: ImageCheck = a_check(
        an_image_of(10, 40, lines=("COPY a /", "RUN fat")),
        against=before(an_image_of(10, lines=("COPY a /",))),
        max_compressed=MB,
    )

    (image,) = check.images
    cause = image.cause("compressed_bytes")
    assert cause is not None
    assert cause.changes[0].instruction == "RUN fat"
    assert cause.grown_amount == 40 * MB
