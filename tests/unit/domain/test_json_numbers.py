"""No number of our JSON is larger than what its readers hold, and that is said."""

import json

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.presentation.forms.csv_json_markdown import saturated

LARGEST = 2**63 - 1
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=9,
)


def test_a_sum_beyond_64_bits_is_the_largest_number_and_is_named() -> None:
    row = {"name": "evil", "tags": 2, "weighed_bytes": 2**64, "grown_bytes": -(2**70)}

    assert saturated({"items": [row]}) == {
        "items": [
            {
                "name": "evil",
                "tags": 2,
                "weighed_bytes": LARGEST,
                "grown_bytes": -LARGEST,
                "saturated": ["weighed_bytes", "grown_bytes"],
            }
        ]
    }


@given(JSON)
def test_what_fits_stays_and_nothing_else_does(value: object) -> None:
    found = saturated(value)

    def numbers(part: object) -> list[int]:
        if isinstance(part, dict):
            return [n for each in part.values() for n in numbers(each)]
        if isinstance(part, list):
            return [n for each in part for n in numbers(each)]
        return [part] if isinstance(part, int) else []

    assert all(abs(number) <= LARGEST for number in numbers(found))
    if all(abs(number) <= LARGEST for number in numbers(value)):
        assert json.dumps(found) == json.dumps(value)
