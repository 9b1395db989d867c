"""Content-Range from strangers."""

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import RegistryError
from weighbridge.net.fields import Fields
from weighbridge.registry.content_range import ranged_content
from weighbridge.registry.question import Answer

NUMBER = st.integers(0, 30).map(str) | st.text("0123456789*-/ ", max_size=4)


def part_or_code(value: str, content: bytes, status: int = 206) -> bytes | str:
    headers = Fields([(b"content-range", value.encode())])
    try:
        return ranged_content(Answer(status, headers, content, True, False), 2, 9, 20)
    except RegistryError as error:
        return error.code


@given(st.text() | st.builds("bytes {}-{}/{}".format, NUMBER, NUMBER, NUMBER))
def test_only_the_very_bytes_that_were_asked_for_are_taken(value: str) -> None:
    result = part_or_code(value, b"12345678")

    wanted = b"12345678" if value == "bytes 2-9/20" else "bad_content_range"
    assert result == wanted


@given(st.binary(max_size=30), st.sampled_from([200, 206, 400]))
def test_any_content_is_taken_in_its_right_length_only(
    content: bytes, status: int
) -> None:
    result = part_or_code("bytes 2-9/20", content, status)

    if status == 206:
        assert result == (content if len(content) == 8 else "bad_content_range")
    else:
        assert result == "range_unsupported"
