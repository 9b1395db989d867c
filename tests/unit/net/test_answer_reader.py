"""The answer reader: what it takes, what it refuses, and that cuts change nothing."""

from collections.abc import Sequence

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.answer_fuzz import outcome, read_by_h11
from weighbridge.net.failure.request_failures import (
    BadAnswer,
    CutOff,
    EncodingRefused,
    HeaderTooLarge,
)
from weighbridge.net.http1.answer import HEAD_BYTES, AnswerReader, HTTPAnswer

_OK = b"HTTP/1.1 200 OK\r\n"
_LIMIT = 1_000


def _read(
    *pieces: bytes, method: str = "GET", body_limit: int = _LIMIT, ends: bool = False
) -> HTTPAnswer | None:
    reader = AnswerReader(method, body_limit)
    for piece in pieces:
        answer = reader.feed(piece)
        if answer is not None:
            return answer
    return reader.end() if ends else None


def _answer(*pieces: bytes, method: str = "GET", ends: bool = False) -> HTTPAnswer:
    answer = _read(*pieces, method=method, ends=ends)
    assert answer is not None
    return answer


def test_fields_come_as_they_were_sent_without_outer_whitespace() -> None:
    answer = _answer(_OK + b"X-Odd: \t kept  as is \t\r\nContent-Length: 0\r\n\r\n")

    assert answer.fields == [(b"X-Odd", b"kept  as is"), (b"Content-Length", b"0")]
    assert (answer.status, answer.reason) == (200, b"OK")


def test_a_whole_answer_by_length_leaves_the_connection_reusable() -> None:
    answer = _answer(_OK + b"Content-Length: 4\r\n\r\nbody")

    assert answer.body == b"body"
    assert answer.framing == "length"
    assert answer.reusable


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
        _OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n",
        _OK + b"Connection: Keep-Alive, CLOSE\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_connection_that_ends_is_not_reusable(head: bytes) -> None:
    assert not _answer(head).reusable


def test_bytes_beyond_the_answer_are_stray_and_never_part_of_it() -> None:
    answer = _answer(_OK + b"Content-Length: 2\r\n\r\nhi" + _OK)

    assert answer.body == b"hi"
    assert answer.stray
    assert not answer.reusable


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none_whatever_its_length_says(status: int) -> None:
    answer = _answer(b"HTTP/1.1 %d So\r\nContent-Length: 9\r\n\r\n" % status)

    assert answer.body == b""
    assert answer.framing == "none"


def test_the_answer_to_head_has_no_body_and_keeps_its_length_field() -> None:
    answer = _answer(_OK + b"Content-Length: 987654321\r\n\r\n", method="HEAD")

    assert answer.body == b""
    assert not answer.over_budget
    assert (b"Content-Length", b"987654321") in answer.fields


def test_a_length_beyond_the_budget_ends_the_read_before_the_body() -> None:
    answer = _answer(_OK + b"Content-Length: 1001\r\n\r\n")

    assert answer.over_budget
    assert answer.body == b""
    assert not answer.reusable


def test_an_error_has_no_more_than_64_kib_of_the_budget() -> None:
    head = b"HTTP/1.1 500 Oh\r\nContent-Length: %d\r\n\r\n"

    too_long = _read(head % 65_537, body_limit=2**22)
    long = _read(head % 65_536, body_limit=2**22)

    assert too_long is not None
    assert too_long.over_budget
    assert long is None


def test_chunks_are_joined_and_trailers_dropped() -> None:
    answer = _answer(
        _OK + b"Transfer-Encoding: Chunked\r\n\r\n",
        b"00a;x=y\r\n0123456789\r\n1\r\n!\r\n0\r\nSum: 1\r\n\r\n",
    )

    assert answer.body == b"0123456789!"
    assert answer.framing == "chunked"
    assert all(name != b"Sum" for name, _ in answer.fields)


@pytest.mark.parametrize("name", [b"Content-Length", b"TRANSFER-ENCODING"])
def test_a_trailer_never_says_how_long_the_body_was(name: bytes) -> None:
    with pytest.raises(BadAnswer, match="trailer"):
        _read(_OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + name + b": 5\r\n\r\n")


def test_an_answer_that_switches_protocols_is_refused() -> None:
    with pytest.raises(BadAnswer, match="protocol"):
        _read(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")


def test_the_longest_chunk_line_is_258_bytes() -> None:
    head = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
    line = b"1;" + b"e" * 254

    answer = _answer(head + line + b"\r\n!\r\n0\r\n\r\n")

    assert answer.body == b"!"
    with pytest.raises(BadAnswer, match="chunk line"):
        _read(head + line + b"e\r\n!\r\n0\r\n\r\n")


def test_trailers_of_8_kib_are_the_longest() -> None:
    head = _OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    trailer = b"T: " + b"t" * (8 * 1024 - 7)

    assert _answer(head + trailer + b"\r\n\r\n").body == b""
    with pytest.raises(BadAnswer, match="trailers"):
        _read(head + trailer + b"t\r\n\r\n")


def test_a_head_of_32_kib_is_the_largest_over_all_interim_ones() -> None:
    interim = b"HTTP/1.1 103 Hints\r\n\r\n"
    final = _OK + b"Content-Length: 0\r\nPad: %s\r\n\r\n"
    room = HEAD_BYTES - len(interim + final % b"")

    assert _answer(interim + final % (b"p" * room)).status == 200
    with pytest.raises(HeaderTooLarge):
        _read(interim + final % (b"p" * (room + 1)))


def test_eight_interim_answers_are_passed_over_and_nine_are_refused() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    final = _OK + b"Content-Length: 2\r\n\r\nhi"

    assert _answer(interim * 8 + final).body == b"hi"
    with pytest.raises(BadAnswer, match="interim"):
        _read(interim * 9 + final)


def test_an_encoded_body_is_refused_before_it_is_read() -> None:
    with pytest.raises(EncodingRefused):
        _read(_OK + b"Content-Encoding: zstd\r\nContent-Length: 999999\r\n\r\n")


def test_a_body_without_a_length_is_whole_when_the_connection_ends() -> None:
    answer = _answer(_OK + b"\r\npart one, ", b"part two", ends=True)

    assert answer.body == b"part one, part two"
    assert answer.framing == "close"
    assert not answer.reusable


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"HTTP/1.1 2",
        _OK + b"Content-Length: 2\r\n\r\nh",
        _OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n0\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_whole_is_cut_off(begun: bytes) -> None:
    reader = AnswerReader("GET", _LIMIT)
    reader.feed(begun)

    with pytest.raises(CutOff):
        reader.end()


# Properties: any bytes, cut anywhere.

_FRAGMENTS = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 404 No\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 204 None\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Content-Encoding: gzip\r\n",
    b"X-A: b\r\n",
    b"X-A: b\r\n folded\r\n",
    b"X-A : b\r\n",
    b"X-A: b\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"5\r\nhello\r\n",
    b"5;a=b\r\nhello\r\n",
    b"5 ;a\r\nhello\r\n",
    b"0x5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"0\r\nT: t\r\n\r\n",
    b"hello",
    b"\x00",
    b"\xff",
)
_HEADS = (
    _OK + b"Content-Length: 5\r\n\r\n",
    _OK + b"Transfer-Encoding: chunked\r\n\r\n",
    _OK + b"\r\n",
)
_STREAMS = st.one_of(
    st.binary(max_size=80),
    st.lists(st.sampled_from(_FRAGMENTS), max_size=9).map(b"".join),
    st.tuples(
        st.sampled_from(_HEADS), st.lists(st.sampled_from(_FRAGMENTS), max_size=6)
    ).map(lambda parts: parts[0] + b"".join(parts[1])),
)


def _outcome(pieces: Sequence[bytes], method: str) -> tuple[object, ...]:
    """What a client makes of the pieces and the end of the connection after them."""
    try:
        answer = _read(*pieces, method=method, ends=True)
    except httpx.RequestError as exc:
        return (type(exc),)
    assert answer is not None
    return (answer.status, answer.fields, answer.body, answer.over_budget)


def _cut(stream: bytes, places: Sequence[int]) -> list[bytes]:
    cuts = sorted({place % (len(stream) + 1) for place in places})
    ends = [*cuts, len(stream)]
    return [stream[a:b] for a, b in zip([0, *cuts], ends, strict=True) if b > a]


@given(
    _STREAMS,
    st.lists(st.integers(0, 400), max_size=6),
    st.sampled_from(["GET", "HEAD"]),
)
@example(b"", [], "GET")
@settings(max_examples=400, deadline=None)
def test_any_bytes_cut_anywhere_give_the_same_answer_or_refusal(
    stream: bytes, places: list[int], method: str
) -> None:
    at_once = _outcome([stream], method)

    assert _outcome(_cut(stream, places), method) == at_once
    assert _outcome([bytes([byte]) for byte in stream], method) == at_once


def test_a_head_that_is_too_large_is_refused_alike_however_it_is_cut() -> None:
    fields = b"A: b\r\n" * 6_000
    stream = _OK + fields + b"X: bare\nlf\r\n\r\n"

    assert _outcome([stream], "GET") == (HeaderTooLarge,)
    assert _outcome(_cut(stream, range(0, 40_000, 997)), "GET") == (HeaderTooLarge,)


@given(_STREAMS, st.sampled_from(["GET", "HEAD"]))
@settings(max_examples=600, deadline=None)
def test_no_answer_is_read_in_another_way_than_h11_reads_it(
    stream: bytes, method: str
) -> None:
    ours = outcome([stream], method)

    assert isinstance(ours, type) or ours == read_by_h11(stream, method)
