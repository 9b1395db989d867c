"""Blobs without bytes: what a client reads of them must be true all the same."""

import io
import json
import struct
import tarfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.demo.content.virtual_blobs import (
    Blob,
    Packing,
    make_blob,
    virtual_blob,
)
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.limits import SMALL_BLOB_BYTES


def the_whole(blob: Blob) -> bytes:
    return blob.read(0, blob.content_bytes - 1)


@given(first=st.integers(0, 700), length=st.integers(1, 700))
def test_any_range_is_the_same_part_of_the_whole(first: int, length: int) -> None:
    blob = Blob(digest_of(b""), 600, b"head" * 5, b"filler!", b"tail" * 4)

    part = blob.read(first, first + length - 1)

    assert part == the_whole(blob)[first : first + length]
    assert len(the_whole(blob)) == 600


def test_a_large_gzip_states_its_tars_length_in_its_trailer() -> None:
    blob = make_blob("x", "gzip", 612_400_000, 1_338_900_000)

    tail = blob.read(612_400_000 - 72, 612_400_000 - 1)

    (stated,) = struct.unpack("<I", tail[-4:])
    assert stated == blob.uncompressed_bytes == 1_338_900_480
    assert stated % 512 == 0
    assert blob.read(0, 2) == b"\x1f\x8b\x08"


def test_the_filler_holds_no_magic_number_of_a_second_member() -> None:
    blob = make_blob("x", "gzip", 100_000, 250_000)

    assert b"\x1f\x8b" not in blob.read(10, blob.content_bytes - 9)


@pytest.mark.parametrize("content_bytes", [235, 1_480, 18_200, SMALL_BLOB_BYTES])
def test_a_small_gzip_is_real_and_as_long_as_it_was_asked_for(
    content_bytes: int,
) -> None:
    blob = make_blob("small", "gzip", content_bytes)

    content = the_whole(blob)

    assert len(content) == blob.content_bytes == content_bytes
    assert digest_of(content) == blob.digest
    tar = zlib.decompress(content, wbits=31)
    assert (len(tar), digest_of(tar)) == (blob.uncompressed_bytes, blob.diff_id)
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        assert len(opened.getnames()) == 1


def test_a_gzip_smaller_than_a_tar_can_be_is_the_smallest_tar() -> None:
    blob = make_blob("WORKDIR", "gzip", 1)

    assert 80 <= blob.content_bytes <= 100
    assert digest_of(the_whole(blob)) == blob.digest


def test_a_zstd_blob_does_not_say_its_content_size() -> None:
    blob = make_blob("x", "zstd", 300_000, 900_000)

    header = blob.read(0, 17)

    assert header[:4] == b"\x28\xb5\x2f\xfd"
    # RFC 8878 3.1.1.1.1: no Frame_Content_Size_flag, no Single_Segment_flag.
    assert header[4] & 0b1110_0000 == 0


def test_a_plain_tar_shows_its_magic_and_is_its_own_diff() -> None:
    blob = make_blob("x", "tar", 97_200_128)

    assert blob.read(257, 261) == b"ustar"
    assert blob.content_bytes == blob.uncompressed_bytes
    assert blob.content_bytes % 512 == 0
    assert blob.diff_id == blob.digest


@pytest.mark.parametrize("content_bytes", [5_465, 98_112])
def test_a_statement_is_json_of_its_size(content_bytes: int) -> None:
    blob = make_blob("x", "json", content_bytes)

    content = the_whole(blob)

    assert len(content) == content_bytes
    assert json.loads(content)["_type"].startswith("https://in-toto.io/")


@pytest.mark.parametrize("packing", ["gzip", "zstd", "tar", "json"])
def test_the_same_name_is_the_same_blob_and_another_is_another(
    packing: Packing,
) -> None:
    blob = make_blob("one", packing, 200_000, 400_000)

    assert blob == make_blob("one", packing, 200_000, 400_000)
    assert blob.digest != make_blob("two", packing, 200_000, 400_000).digest


def test_a_length_beyond_four_gibibytes_is_stated_modulo_two_to_the_32() -> None:
    blob = virtual_blob(digest_of(b"big"), "gzip", 3 * 10**9, 5 * 10**9)

    (stated,) = struct.unpack("<I", blob.read(blob.content_bytes - 4, 2**62))

    assert stated == blob.uncompressed_bytes - 2**32
