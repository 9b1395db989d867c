"""What a few bytes of a blob say of its uncompressed size, and what they do not."""

import gzip
import hashlib
import io
import json
import struct
import tarfile
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from support.data import recorded_path
from support.images import (
    DOCKER_LAYER,
    GZIP_LAYER,
    TAR_LAYER,
    ZSTD_LAYER,
    a_layer,
)
from weighbridge.domain.image.document import Layer
from weighbridge.domain.limits import MIB, SMALL_BLOB_BYTES
from weighbridge.domain.size.confidence import (
    CONFIDENCES,
    BlobContent,
    MeasuredBlob,
    RangeWanted,
    Uncompressed,
)
from weighbridge.domain.size.weigh_image import uncompressed_size
from weighbridge.domain.size.weighing import measuring, unseen

GIB = 1024 * MIB
TAIL = 72


@dataclass(frozen=True, slots=True)
class Asked:
    """A measuring that ended: the result and the ranges that it took."""

    size: Uncompressed
    ranges: list[RangeWanted]


def measure(layer: Layer, parts: Mapping[int, bytes]) -> Asked:
    """Answers ranges from parts of a blob, by where each part begins; what its bytes
    show is then taken with what the layer's manifest claims."""
    asking = measuring(layer)
    ranges = []
    found: object = None
    try:
        wanted = next(asking)
        while True:
            ranges.append(wanted)
            start = max(first for first in parts if first <= wanted.first)
            begin = wanted.first - start
            length = wanted.last - wanted.first + 1
            wanted = asking.send(parts[start][begin : begin + length])
    except StopIteration as done:
        found = done.value
    assert isinstance(found, BlobContent)
    measured = MeasuredBlob(layer.compressed_bytes, found.size, seen=found.seen)
    return Asked(uncompressed_size(layer, measured), ranges)


def measure_blob(
    blob: bytes, media_type: str = GZIP_LAYER, annotated: int | None = None
) -> Asked:
    layer = a_layer(
        "blob", len(blob), media_type, annotated_uncompressed_bytes=annotated
    )
    return measure(layer, {0: blob})


def measure_trailer(
    compressed_bytes: int, isize: int, annotated: int | None = None
) -> Asked:
    """A large gzip blob of which only the head and the trailer are made up."""
    tail = bytes(range(1, 69 - 4)) + struct.pack("<II", 0xC0FFEE11, isize)
    layer = a_layer(
        "blob", compressed_bytes, GZIP_LAYER, annotated_uncompressed_bytes=annotated
    )
    head = gzip.compress(b"")[:10] + bytes(502)
    return measure(layer, {0: head, compressed_bytes - TAIL: tail})


def exact(size: int) -> Uncompressed:
    return Uncompressed("exact", size, size, size)


def trailer(size: int) -> Uncompressed:
    return Uncompressed("trailer", size, size, size)


def assert_holds(size: Uncompressed, truth: int) -> None:
    """The bounds hold the truth, and a sure value is the truth."""
    assert size.low_bytes is not None
    assert size.high_bytes is not None
    assert size.low_bytes <= truth <= size.high_bytes
    if size.confidence in ("exact", "trailer"):
        assert size.uncompressed_bytes == truth
    if size.uncompressed_bytes is not None:
        assert size.low_bytes <= size.uncompressed_bytes <= size.high_bytes


def noise(count: int, seed: int = 1) -> bytes:
    """Bytes that do not compress, the same ones every time."""
    return hashlib.shake_128(bytes([seed])).digest(count)


@cache
def a_tar(content_bytes: int, seed: int = 1) -> bytes:
    """A tar of one file, half of whose bytes compress well."""
    content = noise(content_bytes // 2, seed) + b"text " * (content_bytes // 10)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        entry = tarfile.TarInfo("etc/file")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


SMALL_TAR = a_tar(20_000)
LARGE_TAR = a_tar(400_000)


# -- gzip, small ---------------------------------------------------------------------


def test_a_small_gzip_blob_is_read_whole_and_counted() -> None:
    blob = gzip.compress(SMALL_TAR)

    asked = measure_blob(blob)

    assert asked.size == exact(len(SMALL_TAR))
    assert asked.ranges == [RangeWanted(0, len(blob) - 1, len(blob))]


def test_all_members_of_a_small_blob_count() -> None:
    blob = gzip.compress(SMALL_TAR) + gzip.compress(b"") + gzip.compress(SMALL_TAR)

    assert measure_blob(blob).size == exact(2 * len(SMALL_TAR))


def test_the_largest_small_blob_is_still_read_whole() -> None:
    body = gzip.compress(noise(60_000))
    name = b"n" * (SMALL_BLOB_BYTES - len(body) - 1) + b"\0"
    blob = body[:3] + b"\x08" + body[4:10] + name + body[10:]
    assert len(blob) == SMALL_BLOB_BYTES

    assert measure_blob(blob).size == exact(60_000)


def test_a_small_blob_is_decompressed_up_to_a_mebibyte() -> None:
    assert measure_blob(gzip.compress(bytes(MIB))).size == exact(MIB)


def test_what_grows_beyond_the_cap_is_left_to_its_trailer() -> None:
    blob = gzip.compress(bytes(MIB + 512))

    assert measure_blob(blob).size == trailer(MIB + 512)


def test_members_that_grow_beyond_the_cap_together_are_unknown() -> None:
    blob = gzip.compress(bytes(MIB)) + gzip.compress(bytes(10_240))

    size = measure_blob(blob).size

    assert (size.confidence, size.reason) == ("unknown", "multi_member")
    assert_holds(size, MIB + 10_240)


def test_a_trailer_that_hides_what_it_inflates_to_costs_a_mebibyte_of_work() -> None:
    """62 MiB of zeros in 63 kB that say to be 1 MiB: 150 of them took 17 seconds."""
    bomb = gzip.compress(bytes(62 * MIB))
    blobs = [bomb[:-4] + struct.pack("<I", n * 512) for n in range(2048 - 20, 2048)]

    began = time.process_time()
    sizes = [measure_blob(blob).size for blob in blobs]
    cost = time.process_time() - began
    inflated_whole = time.process_time()
    zlib.decompress(bomb, wbits=31)
    whole = time.process_time() - inflated_whole

    assert {size.reason for size in sizes} == {"implausible_isize"}
    assert all((size.low_bytes or 0) > MIB for size in sizes)
    assert cost < whole  # Twenty of them are less work than one was.


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda blob: blob[:-1], id="cut-in-the-trailer"),
        pytest.param(lambda blob: blob[:500], id="cut-in-the-data"),
        pytest.param(lambda blob: blob[:12], id="cut-behind-the-header"),
        pytest.param(lambda blob: blob + b"\0" * 8, id="padded"),
        pytest.param(lambda blob: blob + b"\x1f\x8b\x08junk", id="junk-behind"),
        pytest.param(
            lambda blob: blob[:-8] + bytes([blob[-8] ^ 1]) + blob[-7:], id="crc"
        ),
        pytest.param(lambda blob: blob[:-4] + b"\0\2\0\0", id="isize"),
    ],
)
def test_a_broken_small_blob_is_unknown(broken: object) -> None:
    assert callable(broken)
    blob = broken(gzip.compress(SMALL_TAR))

    size = measure_blob(blob).size

    assert (size.confidence, size.reason) in (
        ("unknown", "corrupt_gzip"),
        ("unknown", "implausible_isize"),
    )
    assert size.high_bytes == 1032 * len(blob)


def test_a_trailer_beyond_deflates_ratio_is_implausible_blob_range_004() -> None:
    blob = gzip.compress(noise(900))
    forged = blob[:-4] + struct.pack("<I", 3_900_000_000)

    size = measure_blob(forged).size

    assert size == Uncompressed(
        "unknown", None, 0, 1032 * len(forged), "implausible_isize"
    )


# -- gzip, large ---------------------------------------------------------------------


def test_a_large_gzip_blob_costs_one_range_of_72_bytes() -> None:
    blob = gzip.compress(LARGE_TAR)

    asked = measure_blob(blob, DOCKER_LAYER)

    assert asked.size == trailer(len(LARGE_TAR))
    assert asked.ranges == [RangeWanted(len(blob) - TAIL, len(blob) - 1, len(blob))]


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_every_compression_level_has_a_true_trailer(level: int) -> None:
    assert measure_blob(gzip.compress(LARGE_TAR, level)).size == trailer(len(LARGE_TAR))


def test_a_member_flushed_in_blocks_as_pigz_does_is_one_member() -> None:
    packer = zlib.compressobj(6, wbits=31)
    parts = [
        packer.compress(LARGE_TAR[at : at + 32_768]) + packer.flush(zlib.Z_SYNC_FLUSH)
        for at in range(0, len(LARGE_TAR), 32_768)
    ]

    assert measure_blob(b"".join(parts) + packer.flush()).size == trailer(
        len(LARGE_TAR)
    )


BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
ESTARGZ_END = (
    bytes.fromhex("1f8b08040000000000ff1a00 53471600")
    + b"0000000000000abcSTARGZ"
    + bytes.fromhex("010000ffff 0000000000000000")
)
LEGACY_END = (
    bytes.fromhex("1f8b08040000000000ff1600")
    + b"0000000000000abcSTARGZ"
    + bytes.fromhex("010000ffff 0000000000000000")
)
EXTERNAL_END = (
    bytes.fromhex("1f8b08040000000000ff1500 53471100")
    + b"STARGZEXTERNALTOC"
    + bytes.fromhex("010000ffff 0000000000000000")
)
FOOTERS = [
    pytest.param(ESTARGZ_END, id="blob_range-006-estargz-51-bytes"),
    pytest.param(LEGACY_END, id="blob_range-006-stargz-47-bytes"),
    pytest.param(EXTERNAL_END, id="blob_range-006-external-toc-46-bytes"),
    pytest.param(BGZIP_END, id="blob_range-006-bgzip-28-bytes"),
    pytest.param(gzip.compress(b""), id="blob_range-006-empty-member"),
    pytest.param(gzip.compress(b"", 0), id="blob_range-006-empty-stored-member"),
    pytest.param(gzip.compress(bytes(1024)), id="blob_range-006-empty-tar-member"),
    pytest.param(
        gzip.compress(b"")[:3]
        + b"\x08"
        + gzip.compress(b"")[4:10]
        + b"n" * 90
        + b"\0"
        + gzip.compress(b"")[10:],
        id="blob_range-006-empty-member-with-a-long-name",
    ),
]


def test_the_footers_of_this_test_are_as_long_as_the_published_ones() -> None:
    assert [len(ESTARGZ_END), len(LEGACY_END), len(EXTERNAL_END)] == [51, 47, 46]
    assert len(BGZIP_END) == 28


@pytest.mark.parametrize("footer", FOOTERS)
def test_a_footer_of_a_seekable_layer_says_nothing_of_its_size(footer: bytes) -> None:
    blob = gzip.compress(LARGE_TAR) + footer

    asked = measure_blob(blob)

    assert (asked.size.confidence, asked.size.reason) == ("unknown", "multi_member")
    assert asked.size.uncompressed_bytes is None
    assert_holds(asked.size, len(gzip.decompress(blob)))
    assert len(asked.ranges) == 1


@pytest.mark.parametrize("footer", FOOTERS)
def test_an_annotation_speaks_where_the_trailer_cannot(footer: bytes) -> None:
    blob = gzip.compress(LARGE_TAR) + footer

    size = measure_blob(blob, annotated=len(LARGE_TAR)).size

    assert size.confidence == "annotation"
    assert size.uncompressed_bytes == len(LARGE_TAR)
    assert_holds(size, len(LARGE_TAR))


@pytest.mark.parametrize("claim", [0, 1, 512, 10**15])
def test_an_impossible_annotation_is_not_believed(claim: int) -> None:
    blob = gzip.compress(LARGE_TAR) + ESTARGZ_END

    size = measure_blob(blob, annotated=claim).size

    assert (size.confidence, size.reason) == ("unknown", "multi_member")


@pytest.mark.parametrize("claim", [512, len(LARGE_TAR) - 512, len(LARGE_TAR) + 512])
def test_an_annotation_never_overrules_a_good_trailer(claim: int) -> None:
    blob = gzip.compress(LARGE_TAR)

    assert measure_blob(blob, annotated=claim).size == trailer(len(LARGE_TAR))


@pytest.mark.parametrize("isize", [0, 512, 1_023, 100_001, 4_000_000_000])
def test_a_trailer_that_no_tar_has_is_implausible(isize: int) -> None:
    asked = measure_trailer(1_000_000, isize)

    assert asked.size == Uncompressed(
        "unknown", None, 0, 1_032_000_000, "implausible_isize"
    )


def test_a_tar_without_its_end_is_unknown_within_its_bounds() -> None:
    # As `umoci insert` writes it: a header and the file, neither filled up nor closed.
    header = tarfile.TarInfo("data")
    header.size = 200_000
    content = header.tobuf() + noise(header.size)
    blob = gzip.compress(content)

    size = measure_blob(blob).size

    assert (size.confidence, size.reason) == ("unknown", "implausible_isize")
    assert_holds(size, len(content))


def test_the_last_of_several_members_is_not_taken_for_such_a_tar() -> None:
    """Its length is between that of the blob and what gzip can hold, and wrong."""
    blob = gzip.compress(LARGE_TAR) + gzip.compress(bytes(2 * len(LARGE_TAR) + 1))

    size = measure_blob(blob).size

    assert (size.confidence, size.reason) == ("unknown", "implausible_isize")
    assert_holds(size, len(gzip.decompress(blob)))


def test_a_trailer_smaller_than_the_blob_is_of_a_last_member() -> None:
    blob = gzip.compress(LARGE_TAR) + gzip.compress(a_tar(100_000, seed=5))

    size = measure_blob(blob).size

    assert (size.confidence, size.reason) == ("unknown", "implausible_isize")
    assert_holds(size, len(gzip.decompress(blob)))


def test_a_layer_of_random_data_may_be_larger_compressed() -> None:
    assert measure_trailer(200_100, 200_192 - 512).size.confidence == "unknown"
    assert measure_trailer(200_000, 199_680).size.confidence == "unknown"
    assert measure_trailer(1_000_300, 1_000_448 - 512).size == trailer(999_936)


# -- gzip, 4 GiB and more ------------------------------------------------------------


def zeros(uncompressed_bytes: int, level: int) -> bytes:
    """A gzip blob of zeros.

    Zeros are deflated alike from one flushed mebibyte to the next, so what one of
    them gives is repeated, and only the checksum is computed over all.
    """
    packer = zlib.compressobj(level, wbits=31)
    start = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = packer.compress(bytes(MIB)) + packer.flush()
    middle = again * (uncompressed_bytes // MIB - 2)
    isize = uncompressed_bytes % 2**32
    return (
        start
        + middle
        + end[:-8]
        + struct.pack("<II", checksum_of_zeros(uncompressed_bytes), isize)
    )


@cache
def checksum_of_zeros(count: int) -> int:
    checksum = 0
    step = bytes(64 * MIB)
    for _ in range(count // len(step)):
        checksum = zlib.crc32(step, checksum)
    return checksum


def test_the_zeros_of_this_test_are_a_true_gzip_stream() -> None:
    assert gzip.decompress(zeros(128 * MIB, 6)) == bytes(128 * MIB)


@pytest.mark.slow
@pytest.mark.parametrize("level", [1, 6, 9])
@pytest.mark.parametrize("uncompressed_bytes", [4 * GIB, 5 * GIB])
def test_gibibytes_of_zeros_are_never_sure(uncompressed_bytes: int, level: int) -> None:
    blob = zeros(uncompressed_bytes, level)

    size = measure_blob(blob).size

    assert size.confidence in ("estimate", "unknown")
    assert_holds(size, uncompressed_bytes)


@pytest.mark.parametrize(
    ("compressed", "truth"),
    [
        pytest.param(4_100_000, 1_032 * 4_100_000 // 512 * 512, id="cannot-wrap"),
        pytest.param(55_000_000, 126_812_672, id="usual"),
        pytest.param(600_000_000, 1_500_000_256, id="one-candidate-of-two"),
        pytest.param(540_000_000, 4_319_998_976, id="wrapped-once-within-8"),
        pytest.param(500_000_000, 499_999_744, id="jars"),
    ],
)
def test_the_only_usual_candidate_is_the_size(compressed: int, truth: int) -> None:
    asked = measure_trailer(compressed, truth % 2**32)

    assert asked.size == trailer(truth)
    assert len(asked.ranges) == 1


@pytest.mark.parametrize(
    ("compressed", "truth"),
    [
        pytest.param(4_070_000_000, 10_100_000_256, id="windows-base"),
        pytest.param(1_200_000_000, 3_000_000_000 // 512 * 512, id="large-model"),
        pytest.param(1_000_000_000, 20 * GIB, id="disk-image"),
        pytest.param(10_000_000, 160_000_000, id="logs-sixteen-to-one"),
    ],
)
def test_several_candidates_make_an_estimate(compressed: int, truth: int) -> None:
    asked = measure_trailer(compressed, truth % 2**32)

    assert asked.size.confidence in ("estimate", "unknown")
    assert_holds(asked.size, truth)
    assert len(asked.ranges) == 2


def test_an_estimate_is_the_candidate_nearest_to_the_usual_ratio() -> None:
    size = measure_trailer(4_070_000_000, 10_100_000_256 % 2**32).size

    assert size.uncompressed_bytes == 10_100_000_256
    assert size.reason == "ambiguous_isize"


def test_an_annotation_that_fits_the_trailer_ends_the_doubt() -> None:
    truth = 14_395_000_000 // 512 * 512

    fitting = measure_trailer(4_070_000_000, truth % 2**32, annotated=truth).size
    lower = measure_trailer(4_070_000_000, truth % 2**32, annotated=4 * 10**9).size

    assert (fitting.confidence, fitting.uncompressed_bytes) == ("annotation", truth)
    assert lower.confidence == "estimate"


# -- other formats -------------------------------------------------------------------


def test_a_plain_tar_weighs_what_it_weighs() -> None:
    asked = measure_blob(LARGE_TAR, TAR_LAYER)

    assert asked.size == exact(len(LARGE_TAR))
    assert asked.ranges == [RangeWanted(0, 511, len(LARGE_TAR))]


def test_an_empty_tar_is_a_tar() -> None:
    assert measure_blob(bytes(10_240), TAR_LAYER).size == exact(10_240)


def test_a_plain_tar_without_its_magic_is_not_believed() -> None:
    size = measure_blob(b"x" * 100_000, TAR_LAYER).size

    assert (size.confidence, size.reason) == ("unknown", "format_mismatch")


@pytest.mark.parametrize("tar", [SMALL_TAR, LARGE_TAR], ids=["small", "large"])
@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        pytest.param("zstd", GZIP_LAYER, id="blob_range-009-zstd-as-gzip"),
        pytest.param("tar", GZIP_LAYER, id="blob_range-009-tar-as-gzip"),
        pytest.param("gzip", ZSTD_LAYER, id="gzip-as-zstd"),
        pytest.param("tar", ZSTD_LAYER, id="tar-as-zstd"),
        pytest.param("gzip", TAR_LAYER, id="gzip-as-tar"),
        pytest.param("zstd", TAR_LAYER, id="zstd-as-tar"),
    ],
)
def test_bytes_that_are_not_what_they_claim_have_bounds_only(
    kind: str, media_type: str, tar: bytes
) -> None:
    blob = {
        "gzip": gzip.compress(tar),
        "zstd": zstandard.compress(tar),
        "tar": tar,
    }[kind]

    size = measure_blob(blob, media_type).size

    assert (size.confidence, size.reason) == ("unknown", "format_mismatch")
    assert_holds(size, len(tar))


def test_a_mislabelled_tar_still_has_tight_bounds() -> None:
    size = measure_blob(LARGE_TAR, GZIP_LAYER).size

    assert size.low_bytes == size.high_bytes == len(LARGE_TAR)


def test_a_small_zstd_blob_with_one_sized_frame_is_exact() -> None:
    blob = zstandard.compress(SMALL_TAR)

    assert measure_blob(blob, ZSTD_LAYER).size == exact(len(SMALL_TAR))


def test_zstd_frames_without_a_size_are_unknown() -> None:
    plain = zstandard.ZstdCompressor(write_content_size=False)

    for tar in (SMALL_TAR, LARGE_TAR):
        size = measure_blob(plain.compress(tar), ZSTD_LAYER).size
        assert (size.confidence, size.reason) == ("unknown", "zstd_without_size")
        assert_holds(size, len(tar))


def test_two_zstd_frames_are_never_taken_for_one() -> None:
    small = zstandard.compress(SMALL_TAR) * 2
    large = zstandard.compress(LARGE_TAR) * 2

    by_walk = measure_blob(small, ZSTD_LAYER).size
    by_head = measure_blob(large, ZSTD_LAYER).size

    assert by_walk.confidence == "estimate"
    assert by_walk.uncompressed_bytes == 2 * len(SMALL_TAR)
    assert by_head.confidence in ("estimate", "unknown")
    assert_holds(by_head, 2 * len(LARGE_TAR))


def test_a_large_zstd_blobs_first_frame_is_an_estimate() -> None:
    blob = zstandard.compress(LARGE_TAR)

    asked = measure_blob(blob, ZSTD_LAYER)

    assert asked.size.confidence == "estimate"
    assert asked.size.uncompressed_bytes == len(LARGE_TAR)
    assert_holds(asked.size, len(LARGE_TAR))
    assert asked.ranges == [RangeWanted(0, 511, len(blob))]


def test_a_broken_small_zstd_blob_is_unknown() -> None:
    blob = zstandard.compress(SMALL_TAR)

    for broken in (blob[:-1], blob + b"x", blob[:20]):
        size = measure_blob(broken, ZSTD_LAYER).size
        assert (size.confidence, size.reason) == ("unknown", "corrupt_zstd")


# -- what is not asked at all --------------------------------------------------------


def test_an_empty_blob_is_never_asked_for() -> None:
    asked = measure_blob(b"")

    assert asked.size == Uncompressed("unknown", None, 0, 0, "empty_blob")
    assert asked.ranges == []


def test_an_encrypted_layer_is_known_by_its_beginning() -> None:
    blob = noise(10**6)

    asked = measure_blob(blob, f"{GZIP_LAYER}+encrypted")

    assert asked.size.reason == "encrypted"
    assert asked.ranges == [RangeWanted(0, 511, len(blob))]


def test_bytes_that_are_not_encrypted_at_all_do_not_fit_that_type() -> None:
    blob = gzip.compress(LARGE_TAR)

    asked = measure_blob(blob, f"{GZIP_LAYER}+encrypted")

    assert (asked.size.confidence, asked.size.reason) == ("unknown", "format_mismatch")
    assert len(asked.ranges) == 2


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param("range_unsupported", id="blob_range-001"),
        pytest.param("bad_content_range", id="blob_range-002-003"),
        pytest.param("registry_error", id="blob_range-011"),
    ],
)
def test_a_layer_that_cannot_be_asked_is_unknown_with_bounds(reason: str) -> None:
    nothing = MeasuredBlob(1000, unseen(reason).size)
    size = uncompressed_size(a_layer("x", 1), nothing)

    assert size == Uncompressed("unknown", None, 0, 1_032_000, reason)


@pytest.mark.parametrize("answer", [b"", b"x" * 71, b"x" * 73])
def test_an_answer_of_another_length_is_not_read(answer: bytes) -> None:
    asking = measuring(a_layer("x", 10**6))
    next(asking)

    with pytest.raises(StopIteration) as ended:
        asking.send(answer)

    assert ended.value.value == unseen("bad_content_range")


# -- properties ----------------------------------------------------------------------

MEMBERS = st.lists(
    st.tuples(st.binary(max_size=200), st.integers(0, 90_000), st.integers(0, 9)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(MEMBERS, st.booleans())
def test_bounds_hold_the_truth_for_any_row_of_gzip_members(
    members: list[tuple[bytes, int, int]], is_noisy: bool
) -> None:
    filling = noise(90_000) if is_noisy else bytes(90_000)
    contents = [head + filling[:length] for head, length, _ in members]
    blob = b"".join(
        gzip.compress(content, level)
        for content, (_, _, level) in zip(contents, members, strict=True)
    )

    size = measure_blob(blob).size

    truth = sum(map(len, contents))
    assert size.confidence != "exact" or size.uncompressed_bytes == truth
    if len(members) == 1 or size.confidence != "trailer":
        assert_holds(size, truth)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(max_size=300).map(lambda b: b * 200), min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
)
def test_bounds_hold_the_truth_for_any_row_of_zstd_frames(
    contents: list[bytes], has_size: bool, has_checksum: bool
) -> None:
    packer = zstandard.ZstdCompressor(
        write_content_size=has_size, write_checksum=has_checksum
    )
    blob = b"".join(packer.compress(content) for content in contents)

    size = measure_blob(blob, ZSTD_LAYER).size

    truth = sum(map(len, contents))
    assert size.confidence != "exact" or size.uncompressed_bytes == truth
    assert_holds(size, truth)


@given(
    st.sampled_from([GZIP_LAYER, ZSTD_LAYER, TAR_LAYER, "application/x-other", ""]),
    st.integers(0, 2**44),
    st.none() | st.integers(0, 2**63),
    st.data(),
)
def test_any_answers_end_in_a_size(
    media_type: str, compressed: int, annotated: int | None, data: st.DataObject
) -> None:
    starts = st.sampled_from(
        [b"", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"]
    )
    layer = a_layer("x", compressed, media_type, annotated_uncompressed_bytes=annotated)
    asking = measuring(layer)
    found: object = None
    try:
        wanted = next(asking)
        while True:
            assert 0 <= wanted.first <= wanted.last < wanted.total_bytes == compressed
            length = wanted.last - wanted.first + 1
            assert length <= SMALL_BLOB_BYTES
            answer = data.draw(starts) + data.draw(st.binary(max_size=80))
            wanted = asking.send((answer + bytes(length))[:length])
    except StopIteration as done:
        found = done.value

    assert isinstance(found, BlobContent)
    measured = MeasuredBlob(compressed, found.size, seen=found.seen)
    size = uncompressed_size(layer, measured)
    assert size.confidence in CONFIDENCES
    assert (size.uncompressed_bytes is None) == (size.confidence == "unknown")


# -- published forms -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("compressed", "truth"),
    [
        # Of root file systems, from the least to the most that gzip made of one.
        (711_498, 1_208_320),
        (858_611, 1_679_360),
        (2_754_990, 5_754_880),
        (2_714_814, 5_847_040),
        (3_504_352, 8_120_320),
        (2_705_742, 6_891_520),
    ],
)
def test_the_trailers_of_real_tarballs_are_true(compressed: int, truth: int) -> None:
    assert measure_trailer(compressed, truth).size == trailer(truth)


@pytest.mark.long  # The same of 156 that were decompressed.
def test_the_trailers_of_all_recorded_tarballs_are_true() -> None:
    facts = json.loads(recorded_path("dataset/blob_facts.json").read_text())

    wrong = []
    for fact in facts:
        asked = measure_trailer(fact["compressed"], fact["isize"])
        if asked.size != trailer(fact["uncompressed"]):
            wrong.append(fact["path"])

    assert wrong == []
    assert len(facts) == 156


def skippable(content: bytes) -> bytes:
    """A frame that a decoder of zstd passes over (RFC 8878 3.1.2)."""
    return struct.pack("<II", 0x184D2A50, len(content)) + content


def chunked(tar: bytes, footer: bytes) -> bytes:
    """zstd:chunked: frames of unsaid size, a manifest that is passed over, a footer."""
    frames = b"".join(unsized(tar[at : at + 512]) for at in range(0, len(tar), 512))
    return frames + skippable(unsized(b'{"version": 1}')) + skippable(footer)


def unsized(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False).compress(content)


MAGIC = b"GNUlInUx"
TOC = gzip.compress(b'{"version": 1, "entries": []}'.ljust(1_024, b"\0"))
BLOBS = {
    "gzip": gzip.compress(SMALL_TAR),
    "gzip of two members": gzip.compress(SMALL_TAR[:10_240])
    + gzip.compress(SMALL_TAR[10_240:]),
    "estargz": gzip.compress(SMALL_TAR) + TOC + ESTARGZ_END,
    "stargz": gzip.compress(SMALL_TAR) + TOC + LEGACY_END,
    "estargz, one member a file": b"".join(
        gzip.compress(SMALL_TAR[at : at + 1_024])
        for at in range(0, len(SMALL_TAR), 1_024)
    )
    + TOC
    + ESTARGZ_END,
    "estargz with its table elsewhere": gzip.compress(SMALL_TAR) + EXTERNAL_END,
    "zstd": zstandard.compress(SMALL_TAR),
    "zstd without a size": unsized(SMALL_TAR),
    "zstd:chunked": chunked(SMALL_TAR, struct.pack("<7Q", *range(7)) + MAGIC),
    "zstd:chunked of stargz": chunked(SMALL_TAR, struct.pack("<4Q", *range(4)) + MAGIC),
    "tar": SMALL_TAR,
}
"""Layers as builders write them, all small."""


@pytest.mark.parametrize(
    ("name", "confidence", "reason"),
    [
        # The members are far too small for a blob of that length.
        ("gzip", "unknown", "implausible_isize"),
        ("gzip of two members", "unknown", "implausible_isize"),
        ("estargz", "unknown", "multi_member"),
        ("stargz", "unknown", "multi_member"),
        ("estargz with its table elsewhere", "unknown", "multi_member"),
        ("zstd", "unknown", "multi_frame"),
        ("zstd without a size", "unknown", "zstd_without_size"),
        ("zstd:chunked", "unknown", "zstd_without_size"),
        ("zstd:chunked of stargz", "unknown", "zstd_without_size"),
        ("tar", "exact", ""),
    ],
)
def test_the_ends_of_a_blob_that_is_too_large_to_be_read_whole(
    name: str, confidence: str, reason: str
) -> None:
    """As if what is between them were 200,000 bytes."""
    blob = BLOBS[name]
    media_type = (
        ZSTD_LAYER if "zstd" in name else TAR_LAYER if name == "tar" else GZIP_LAYER
    )
    layer = a_layer("x", 200_000, media_type)
    head = blob[:18] if media_type != TAR_LAYER else blob[:262]

    size = measure(
        layer, {0: head.ljust(512, b"\0"), 200_000 - TAIL: blob[-TAIL:]}
    ).size

    assert (size.confidence, size.reason) == (confidence, reason)


@pytest.mark.parametrize(
    ("name", "added", "confidence"),
    [
        ("gzip", 0, "exact"),
        ("gzip of two members", 0, "exact"),
        ("estargz", 1_024, "exact"),
        ("stargz", 1_024, "exact"),
        ("estargz, one member a file", 1_024, "exact"),
        ("zstd without a size", 0, "unknown"),
        ("zstd:chunked", 0, "unknown"),
    ],
)
def test_small_blobs_are_weighed(name: str, added: int, confidence: str) -> None:
    """What eStargz adds is in a member of gzip, and unpacked like all others."""
    media_type = ZSTD_LAYER if "zstd" in name else GZIP_LAYER

    size = measure_blob(BLOBS[name], media_type).size

    assert size.confidence == confidence
    assert_holds(size, len(SMALL_TAR) + added)


# -- claims --------------------------------------------------------------------------


@given(
    claims=st.lists(
        st.builds(
            Layer,
            st.sampled_from(
                [GZIP_LAYER, ZSTD_LAYER, TAR_LAYER, f"{GZIP_LAYER}+encrypted", "x/y"]
            ),
            st.just(a_layer("blob").digest),
            st.just(len(gzip.compress(LARGE_TAR))),
            st.booleans(),
            st.none() | st.integers(0, 2**50),
        ),
        min_size=2,
        max_size=2,
    )
)
def test_what_bytes_show_does_not_depend_on_what_is_claimed_of_them(
    claims: list[Layer],
) -> None:
    blob = gzip.compress(LARGE_TAR)

    one, other = (content(layer, blob) for layer in claims)

    assert one.size == other.size == trailer(len(LARGE_TAR))


def content(layer: Layer, blob: bytes) -> BlobContent:
    asking = measuring(layer)
    try:
        wanted = next(asking)
        while True:
            wanted = asking.send(blob[wanted.first : wanted.last + 1])
    except StopIteration as done:
        found = done.value
    assert isinstance(found, BlobContent)
    return found
