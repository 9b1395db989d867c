"""A request that two programs could read as different ones is refused."""

import re
from itertools import pairwise

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from weighbridge.web.server.early_refusal import StrictConnection, head_fault

GOOD = b"POST /x HTTP/1.1\r\nHost: x\r\n"
CHUNKED = GOOD + b"Transfer-Encoding: chunked\r\n\r\n"


def events_of(*pieces: bytes) -> list[str]:
    """The names of what is read of these bytes, up to "refused"."""
    connection = StrictConnection(32 * 1024)
    found: list[str] = []
    try:
        for piece in pieces:
            connection.receive_data(piece)
            while True:
                event = connection.next_event()
                if isinstance(event, type):
                    break
                found.append(type(event).__name__)
    except h11.RemoteProtocolError:
        found.append("refused")
    return found


@pytest.mark.parametrize(
    "head",
    [
        GOOD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        GOOD + b"TRANSFER-ENCODING: chunked\r\ncontent-length: 1\r\n\r\n",
        b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
        b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_an_ambiguous_head_is_refused_however_it_arrives(head: bytes) -> None:
    assert events_of(head) == ["refused"]
    assert events_of(*(bytes([byte]) for byte in head)) == ["refused"]


@pytest.mark.parametrize(
    "end",
    [
        b"0\r\n\n",
        b"0\r\nX: y\r\n\r\n",
        b"0\r\nX: y\n\n",
        b"0\r\nContent-Length: 9\r\n\r\n",
        b"0\n\r\n",
    ],
)
def test_a_body_in_chunks_ends_in_one_way(end: bytes) -> None:
    whole = CHUNKED + b"1\r\nx\r\n"

    assert events_of(whole + b"0\r\n\r\n")[-1] == "EndOfMessage"
    assert events_of(whole + end)[-1] == "refused"
    assert events_of(*(bytes([byte]) for byte in whole + end))[-1] == "refused"


def test_what_comes_behind_a_body_in_chunks_does_not_count() -> None:
    more = b"GET / HTTP/1.1\nHost: x\n\n"

    assert events_of(CHUNKED + b"0\r\n\r\n" + more)[-1] == "EndOfMessage"


@given(
    lines=st.lists(
        st.sampled_from(
            [
                b"Host: x",
                b"A: b",
                b" c",
                b"\tc",
                b"Content-Length: 0",
                b"content-length: 0",
                b"Transfer-Encoding: chunked",
                b"transfer-encoding:chunked",
                b"X-Content-Length: 1",
                b"A: Transfer-Encoding: chunked",
                b"",
            ]
        ),
        max_size=6,
    ),
    ends=st.lists(
        st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\n\r"]),
        min_size=8,
        max_size=8,
    ),
    version=st.sampled_from([b"1.1", b"1.0"]),
    cuts=st.lists(st.integers(0, 200), max_size=4),
)
@example(lines=[b"Host: x"], ends=[b"\r\n"] * 8, version=b"1.1", cuts=[])
def test_whatever_is_read_as_a_request_is_one_to_every_strict_reader(
    lines: list[bytes], ends: list[bytes], version: bytes, cuts: list[int]
) -> None:
    words = [b"GET / HTTP/" + version, *lines, b""]
    raw = b"".join(line + end for line, end in zip(words, ends, strict=False))
    places = sorted({0, len(raw), *(min(cut, len(raw)) for cut in cuts)})
    pieces = [raw[i:j] for i, j in pairwise(places)]

    found = events_of(*pieces)

    if "Request" in found:
        head, end, _ = raw.partition(b"\r\n\r\n")
        fields = head.split(b"\r\n")
        names = [field.partition(b":")[0].strip().lower() for field in fields[1:]]
        assert end
        assert not re.search(rb"[\r\n]", b"".join(fields))
        assert not any(field[:1] in b" \t" for field in fields if field)
        assert not {b"content-length", b"transfer-encoding"} <= set(names)
        assert version == b"1.1" or b"transfer-encoding" not in names
    assert found[:1] == events_of(raw)[:1]


@given(st.binary(max_size=200))
def test_any_bytes_have_a_fault_or_none(data: bytes) -> None:
    assert head_fault(data) is None or events_of(data) == ["refused"]
