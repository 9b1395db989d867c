"""Header fields by name."""

import httpx
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.net.http1.head import Fields

_NAMES = st.sampled_from([b"Link", b"link", b"ETag", b"X-A"])
_VALUES = st.text("az09, ;é", max_size=6).map(str.encode)


def test_case_does_not_matter_and_order_is_kept() -> None:
    fields = Fields([(b"Link", b"one"), (b"X", b"x"), (b"LINK", b"two")])

    assert fields.get_list("link") == ["one", "two"]
    assert fields.get("lInK") == "one, two"
    assert "LINK" in fields


def test_what_is_not_there_is_empty() -> None:
    fields = Fields([(b"Empty", b"")])

    assert fields.get("missing") == fields.get("empty") == ""
    assert fields.get_list("missing") == []
    assert "missing" not in fields
    assert "empty" in fields


def test_any_byte_becomes_text() -> None:
    fields = Fields([(b"A", "é".encode()), (b"B", b"\xe9")])

    assert fields.get("a") == fields.get("b") == "é"


@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=5))
def test_a_name_has_the_values_that_httpx_finds(
    raw: list[tuple[bytes, bytes]],
) -> None:
    fields, expected = Fields(raw), httpx.Headers(raw)

    for name in ("link", "Link", "etag", "x-a", "none"):
        assert fields.get_list(name) == expected.get_list(name)
        assert fields.get(name) == expected.get(name, "")
