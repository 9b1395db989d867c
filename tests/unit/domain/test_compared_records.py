"""Images as they were recorded, compared with those of other tags."""

from collections import defaultdict
from itertools import pairwise

import pytest
from msgspec.structs import replace

from support.images import an_image
from support.replica.records import Record, recorded, written
from weighbridge.domain.comparison.comparison import compare_two
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import HistoryEntry, Layer
from weighbridge.domain.image.image_config import align
from weighbridge.domain.size.weigh_image import weigh_image
from weighbridge.domain.size.weighing import WeighedImage


def weighed(record: Record) -> WeighedImage:
    layers = [
        Layer(y.media_type or "", Digest(y.digest), y.compressed_bytes)
        for y in record.layers
    ]
    entries = [
        HistoryEntry(
            str(entry.get("created_by") or ""),
            None,
            None if (said := entry.get("empty_layer")) is None else bool(said),
            str(entry.get("comment") or ""),
        )
        for entry in record.history or ()
    ]
    lines, alignment = align(entries, len(layers), record.platform["os"])
    image = an_image(layers, lines=lines, history_alignment=alignment)
    return replace(weigh_image(image, {}), digest=Digest(record.manifest_digest))


@pytest.fixture(
    params=["written", pytest.param("recorded", marks=pytest.mark.long)], scope="module"
)
def neighbours(request: pytest.FixtureRequest) -> list[tuple[Record, Record]]:
    """Each image with the next one of its repository and platform: those of
    `tests/data`, or all that were recorded."""
    kind = request.param
    by_platform: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in written() if kind == "written" else recorded():
        if not record.is_attestation and record.layers:
            key = record.repository, str(sorted(record.platform.items()))
            by_platform[key].append(record)
    found = [pair for some in by_platform.values() for pair in pairwise(some)]
    assert len(found) >= {"written": 2, "recorded": 3_000}[kind]
    return found


def test_parts_and_lines_of_real_images_sum_to_what_they_weigh(
    neighbours: list[tuple[Record, Record]],
) -> None:
    for record, other in neighbours:
        before, after = weighed(record), weighed(other)

        found, back = compare_two(before, after), compare_two(after, before)

        grown = other.compressed_bytes - record.compressed_bytes
        assert found.grown_bytes == grown == -back.grown_bytes
        assert sum(line.grown_bytes or 0 for line in found.lines) == grown
        assert sum(line.grown_bytes or 0 for line in back.lines) == -grown
        assert found.only_before == back.only_after
        assert found.only_after.compressed_bytes == (
            other.compressed_bytes - found.shared.compressed_bytes
        )
        digests = {y.digest for y in record.layers} & {y.digest for y in other.layers}
        assert {y.digest for y in found.shared.layers} == digests
        assert found.cause.grown_amount == grown


def test_a_real_image_is_the_same_as_itself(
    neighbours: list[tuple[Record, Record]],
) -> None:
    for record, _ in neighbours:
        image = weighed(record)

        found = compare_two(image, image)

        assert {line.change for line in found.lines} == {"same"}
        assert found.only_after.layers == ()
        assert found.cause.changes == ()
