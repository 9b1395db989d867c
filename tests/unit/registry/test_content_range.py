"""Content-Range and Content-Length from strangers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.limits import DESCRIPTOR_BYTES
from weighbridge.errors import DocumentError, RegistryError
from weighbridge.net.http1.head import Fields
from weighbridge.ports.protocols import RangeAnswer
from weighbridge.registry.exchange.registry_request import RegistryAnswer
from weighbridge.registry.kinds.distribution.served import (
    blob_length,
    blob_range,
)

BLOB = b"twenty bytes of blob"
DIGEST = digest_of(BLOB)
NUMBER = st.integers(0, 30).map(str) | st.text("0123456789*-/ ", max_size=4)


def an_answer(
    status: int, content: bytes | None = b"", **headers: str | list[str]
) -> RegistryAnswer:
    fields = Fields(
        (name.replace("_", "-").encode(), value.encode())
        for name, values in headers.items()
        for value in ([values] if isinstance(values, str) else values)
    )
    return RegistryAnswer(status, fields, content, True, False)


def part_or_code(value: str, content: bytes, status: int = 206) -> RangeAnswer | str:
    try:
        return blob_range(an_answer(status, content, content_range=value), DIGEST, 2, 9)
    except (DocumentError, RegistryError) as error:
        return error.code


@given(st.text() | st.builds("bytes {}-{}/{}".format, NUMBER, NUMBER, NUMBER))
def test_only_the_very_bytes_that_were_asked_for_are_taken(value: str) -> None:
    result = part_or_code(value, b"12345678")

    if isinstance(result, RangeAnswer):
        assert value == f"bytes 2-9/{int(value.rpartition('/')[2])}"
        assert result.content == b"12345678"
        assert result.total_bytes >= 10
    else:
        assert result == "bad_content_range"


@given(st.binary(max_size=30), st.sampled_from([200, 206, 400, 416]))
def test_any_content_is_taken_in_its_right_length_only(
    content: bytes, status: int
) -> None:
    result = part_or_code("bytes 2-9/20", content, status)

    assert (
        result
        == {
            200: "digest_mismatch",
            206: RangeAnswer(content, 20) if len(content) == 8 else "bad_content_range",
            400: "range_unsupported",
            416: "range_not_satisfiable",
        }[status]
    )


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 40))
def test_a_range_and_its_total_fit_each_other(
    first: int, length: int, total: int
) -> None:
    """RFC 9110 14.4: what is served ends where the blob does, or where was asked."""
    last = first + length - 1
    end = min(last, total - 1)
    content = bytes(max(end - first + 1, 0))
    answer = an_answer(206, content, content_range=f"bytes {first}-{end}/{total}")

    if end < first:
        with pytest.raises(RegistryError):
            blob_range(answer, DIGEST, first, last)
    elif len(content) == total:
        with pytest.raises(DocumentError):
            blob_range(answer, DIGEST, first, last)
    else:
        found = blob_range(answer, DIGEST, first, last)
        assert found == RangeAnswer(content, total)


@given(st.text(max_size=25) | st.integers(-5, 2**70).map(str))
def test_a_content_length_is_believed_where_it_is_a_number_only(value: str) -> None:
    found = blob_length(an_answer(200, content_length=value), DIGEST)

    if found is None:
        is_number = value.isascii() and value.isdigit() and len(value) <= 19
        assert not (is_number and 0 < int(value) <= DESCRIPTOR_BYTES)
    else:
        assert 0 < found == int(value) <= DESCRIPTOR_BYTES


def test_only_the_digest_of_nothing_may_have_a_length_of_zero() -> None:
    answer = an_answer(200, content_length="0")

    assert blob_length(answer, DIGEST) is None
    assert blob_length(answer, digest_of(b"")) == 0
    assert blob_length(answer, digest_of(b"", "sha512")) == 0


def test_two_content_lengths_are_none() -> None:
    assert blob_length(an_answer(200, content_length=["20", "20"]), DIGEST) is None
