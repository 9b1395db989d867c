"""The demo's own gzip writer: readable by everybody, the same everywhere."""

import gzip
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.demo.content.virtual_blobs import gzip_bytes

RUNS = st.lists(st.tuples(st.binary(min_size=1, max_size=1), st.integers(1, 700)))


@given(st.binary(max_size=2_000))
def test_any_content_comes_back(content: bytes) -> None:
    assert gzip.decompress(gzip_bytes(content)) == content


@given(RUNS)
def test_runs_of_any_length_come_back(runs: list[tuple[bytes, int]]) -> None:
    content = b"".join(byte * count for byte, count in runs)

    assert gzip.decompress(gzip_bytes(content)) == content


def test_a_block_of_zeros_shrinks() -> None:
    assert len(gzip_bytes(bytes(10_240))) < 100


def test_the_bytes_are_the_same_with_every_python() -> None:
    packed = gzip_bytes(b"weighbridge" + bytes(1_024))

    assert hashlib.sha256(packed).hexdigest()[:16] == "55f268f6e39040b5"
