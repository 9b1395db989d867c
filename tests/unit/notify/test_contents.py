"""What a message says: limit, size, growth, the line, the base, and how many."""

from datetime import timedelta

import pytest

from support.tolds import KEY, NOW, a_cause, a_message, a_told
from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.message.grouping import Message, ViolationNotice
from weighbridge.domain.policy.policy import LimitKey
from weighbridge.domain.policy.quantity import Quantity
from weighbridge.notify.render.content import TEST, content_of, plain_text


def headline(*items: ViolationNotice, more: int = 0, group: str = "") -> str:
    return content_of(a_message(*items, more=more, group=group)).headline


def facts(message: Message) -> dict[str, str]:
    """Of the first violation, with its line."""
    item = content_of(message).items[0]
    found = {fact.name: fact.value for fact in item.facts}
    return found if item.cause is None else found | {item.cause.name: item.cause.value}


def test_one_violation_is_told_whole() -> None:
    text = plain_text(content_of(a_message()))

    assert text == (
        "harbor/shop/api:1.4.2 is 583 MB over max_compressed\n"
        "\n"
        "harbor/shop/api:1.4.2\n"
        "  1.08 GB compressed, 583 MB over max_compressed (500 MB)\n"
        "  New line, +570 MB compressed: RUN pip install torch\n"
        "  Compressed: 1.08 GB (+612 MB, +130 % against 471 MB before)\n"
        "  On disk: 2.51 GB\n"
        "  Policy: services, warning, team shop\n"
        "  Platform: linux/amd64\n"
        "  Since: 2026-09-22 08:12 UTC\n"
        f"  Digest: sha256:{'ab' * 32}\n"
        "  https://weighbridge.example/repository?ref=harbor%2Fshop%2Fapi\n"
    )


@pytest.mark.parametrize(
    ("key", "limit", "amount", "words"),
    [
        (
            "max_uncompressed",
            1_200_000_000,
            2_510_000_000,
            "2.51 GB on disk, 1.31 GB over max_uncompressed (1.20 GB)",
        ),
        (
            "max_growth",
            588_000_000,
            1_083_000_000,
            "1.08 GB compressed, 495 MB over max_growth (588 MB)",
        ),
        ("max_layers", 60, 61, "61 layers, 1 layer over max_layers (60 layers)"),
        (
            "max_layer_compressed",
            300_000_000,
            570_000_000,
            "a layer of 570 MB compressed, 270 MB over max_layer_compressed (300 MB)",
        ),
        (
            "max_deduplicated",
            200_000_000_000,
            201_000_000_000,
            "201 GB in the whole repository, each blob once, "
            "1.00 GB over max_deduplicated (200 GB)",
        ),
    ],
)
def test_each_limit_has_its_words(
    key: LimitKey, limit: int, amount: int, words: str
) -> None:
    told = a_told(limit_key=key, limit_amount=limit, amount=amount)

    assert content_of(a_message(told)).items[0].verdict == words


def test_growth_is_told_as_growth_against_the_baseline() -> None:
    told = a_told(limit_key="max_growth", limit_amount=588_000_000)

    assert headline(told) == "harbor/shop/api:1.4.2 grew by 613 MB (+130 %)"
    assert facts(a_message(told))["Baseline"] == (
        "470 MB, the median of the ten before it"
    )


def test_a_limit_of_a_repository_names_no_tag() -> None:
    told = a_told(tag="", platform="", limit_key="max_deduplicated")

    assert headline(told).startswith("harbor/shop/api is ")
    assert "Platform" not in facts(a_message(told))


def test_what_is_not_known_is_not_told() -> None:
    told = a_told(
        compressed_bytes=None,
        uncompressed_bytes=None,
        before_compressed_bytes=None,
        cause=None,
        team=None,
        url=None,
    )

    assert set(facts(a_message(told))) == {"Policy", "Platform", "Since", "Digest"}
    assert content_of(a_message(told)).items[0].url == ""


def test_an_image_without_one_before_it_has_no_change() -> None:
    told = a_told(before_compressed_bytes=None)

    assert facts(a_message(told))["Compressed"] == "1.08 GB"


def test_a_size_that_is_only_claimed_is_said_to_be_so() -> None:
    claimed = a_told(compressed_confidence="claimed")
    known = a_told(compressed_confidence="disputed")

    said = content_of(a_message(claimed)).items[0].verdict
    sure = content_of(a_message(known)).items[0].verdict

    assert said == f"{sure}, as the manifest claims, not yet confirmed by the registry"


def test_the_end_of_a_violation_is_told_without_a_cause() -> None:
    told = a_told(
        event="resolved", amount=450_000_000, closed_at=NOW + timedelta(hours=2)
    )

    assert headline(told) == "harbor/shop/api:1.4.2 is within max_compressed"
    item = content_of(a_message(told)).items[0]
    assert item.verdict == "within max_compressed (500 MB): 450 MB"
    assert item.cause is None
    assert facts(a_message(told))["Until"] == "2026-09-22 10:12 UTC"


def test_an_end_without_a_lighter_image_says_no_weight() -> None:
    told = a_told(event="resolved", closed_by="deleted")

    verdict = content_of(a_message(told)).items[0].verdict

    assert verdict == "no longer over max_compressed: its tag was deleted"
    assert headline(told) == "harbor/shop/api:1.4.2 is no longer over max_compressed"


def test_a_base_behind_two_repositories_is_counted() -> None:
    cause = a_cause("apt-get install -y openjdk", of="base", key=KEY)
    first = a_told(repository="shop/api", cause=cause)
    same = a_told(repository="shop/api", tag="1.4.3", cause=cause)
    other = a_told(repository="shop/web", cause=cause)

    message = a_message(first, same, other)

    assert facts(message)["Base"] == (
        "changed, +570 MB; the same change in 2 repositories"
    )
    assert facts(message)["New line of the base, +570 MB compressed"].startswith(
        "apt-get"
    )
    assert content_of(message).headline == (
        "3 limits exceeded by one base image that changed"
    )


def test_what_is_left_out_may_have_the_same_base() -> None:
    cause = a_cause(of="base", key=KEY)
    items = [a_told(repository=f"shop/{name}", cause=cause) for name in "ab"]

    words = facts(a_message(*items, more=48))["Base"]

    assert words.endswith("the same change in at least 2 repositories")


def test_own_lines_are_no_base() -> None:
    assert "Base" not in facts(a_message(a_told(cause=a_cause(of="own", key=KEY))))


def test_headlines_count_what_began_and_what_ended() -> None:
    over, ended = a_told(), a_told(event="resolved", tag="1.4.3")
    again = a_told(event="resolved", tag="1.4.4")

    assert headline(over, over, ended) == "2 limits exceeded, 1 kept again"
    assert headline(ended, again) == "2 limits kept again"
    assert headline(over, more=61, group="policy services") == (
        "62 limits exceeded (policy services)"
    )


def test_a_headline_names_the_image_whatever_number_of_limits_it_breaks() -> None:
    size = a_told()
    layers = a_told(limit_key="max_layers", limit_amount=60, amount=70)
    kept = a_told(event="resolved", limit_key="max_layers", limit_amount=60, amount=50)

    assert headline(size, layers) == (
        "harbor/shop/api:1.4.2 is over max_compressed and max_layers"
    )
    assert headline(size, kept) == (
        "harbor/shop/api:1.4.2 is over max_compressed, and is within max_layers"
    )
    assert headline(size, layers, more=1) == "3 limits exceeded"


@pytest.mark.parametrize(
    ("quantity", "amount", "words"),
    [
        ("uncompressed_bytes", 734_000_000, "New line, +734 MB on disk"),
        ("layers", 1, "New line, +1 layer"),
        (
            "layer_compressed_bytes",
            310_000_000,
            "New line, 310 MB compressed in one layer",
        ),
        ("deduplicated_bytes", 734_000_000, "New line, +734 MB stored"),
    ],
)
def test_the_line_is_told_in_the_unit_of_its_limit(
    quantity: Quantity, amount: int, words: str
) -> None:
    line = LineChange("added", "COPY zeros.img /", None, amount, amount)
    cause = Cause("own", None, (line,), amount, quantity=quantity)

    assert facts(a_message(a_told(cause=cause)))[words] == "COPY zeros.img /"


def test_lines_of_an_unknown_size_are_counted_and_none_is_blamed() -> None:
    line = LineChange("added", "COPY zeros.img /", None, None, None)
    cause = Cause(
        "own", None, (line,), 0, unknown_lines=1, quantity="uncompressed_bytes"
    )

    message = a_message(a_told(limit_key="max_uncompressed", cause=cause))

    assert content_of(message).items[0].cause is None
    assert facts(message)["Not known"] == "what 1 changed line added on disk"


def test_what_a_message_does_not_hold_is_counted() -> None:
    text = plain_text(content_of(a_message(a_told(), more=42)))

    assert text.endswith("\n\nand 42 more\n")


def test_a_text_that_is_too_long_ends_with_whole_violations() -> None:
    text = plain_text(content_of(a_message(*[a_told()] * 30, more=12)), 2_000)

    assert len(text) <= 2_000
    shown = text.count("over max_compressed (500 MB)")
    assert shown >= 3
    assert text.endswith(f"\n\nand {42 - shown} more\n")


def test_a_test_says_so_first() -> None:
    content = content_of(a_message(is_test=True))

    assert content.headline.startswith("Test: ")
    assert content.note == TEST


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://evil.example/|x",
        "https://evil.example/>",
        "https://evil.example/ x",
        "https://evil.example/\n",
        "https://" + "x" * 2_000,
    ],
)
def test_a_link_that_would_break_out_of_its_mark_up_is_left_out(url: str) -> None:
    assert content_of(a_message(a_told(url=url))).items[0].url == ""
