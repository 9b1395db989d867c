"""The text that Prometheus reads, written by hand and read back by its client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from weighbridge.web.metrics.rendering import (
    LABEL_CHARACTERS,
    Gauges,
    exposition,
    labels,
    printable_label,
)


def read_back(body: bytes) -> list[tuple[str, dict[str, str], float]]:
    """Every sample of an exposition."""
    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    ]


def test_a_family_is_one_block_with_help_and_type() -> None:
    family = Gauges("weighbridge_x_bytes", "What x weighs.", [(labels(a="b"), 7)])

    assert exposition([family]) == (
        b"# HELP weighbridge_x_bytes What x weighs.\n"
        b"# TYPE weighbridge_x_bytes gauge\n"
        b'weighbridge_x_bytes{a="b"} 7\n'
    )


def test_a_family_without_samples_is_left_out() -> None:
    assert exposition([Gauges("weighbridge_x_bytes", "What x weighs.", [])]) == b""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param('shop/api"} 7\nweighbridge_up{a="', id="metrics-001"),
        pytest.param("shop\\", id="metrics-001-backslash"),
        pytest.param("half a pair: \ud83d", id="metrics-002"),
        pytest.param("\x00\x1b[31m\u202e", id="metrics-002-controls"),
    ],
)
def test_a_hostile_name_is_one_series_and_forges_none(name: str) -> None:
    family = Gauges("weighbridge_x_bytes", "X.", [(labels(repository=name), 1)])

    ((found, found_labels, value),) = read_back(exposition([family]))

    assert (found, value) == ("weighbridge_x_bytes", 1)
    assert list(found_labels) == ["repository"]


def test_quotes_and_backslashes_come_back_as_they_were() -> None:
    family = Gauges("weighbridge_x_bytes", "X.", [(labels(a='say "\\n"'), 1)])

    ((_, found_labels, _),) = read_back(exposition([family]))

    assert found_labels == {"a": 'say "\\n"'}


def test_two_long_names_with_one_beginning_stay_two_series() -> None:
    one, other = ("a" * 220 + end for end in "xy")

    assert printable_label(one) != printable_label(other)
    assert len(printable_label(one)) == LABEL_CHARACTERS


@given(st.lists(st.text(st.characters(), max_size=260), max_size=8, unique=True))
def test_any_names_give_as_many_series_as_there_are_names(names: list[str]) -> None:
    samples = [(labels(repository=name), index) for index, name in enumerate(names)]

    found = read_back(exposition([Gauges("weighbridge_x", "X.", samples)]))

    assert len({found_labels["repository"] for _, found_labels, _ in found}) == len(
        names
    )
    assert [value for _, _, value in found] == list(range(len(names)))


@given(st.text(st.characters(exclude_categories=[]), max_size=300))
def test_any_label_can_be_encoded_and_is_short(text: str) -> None:
    clean = printable_label(text)

    assert clean.encode().decode() == clean
    assert len(clean) <= LABEL_CHARACTERS
