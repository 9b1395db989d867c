"""Two images compared, as JSON and as a flat table of their lines. `a` is the first,
`b` the second; bytes are integers, unknown is null.
"""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import asdict

from weighbridge.domain.comparison.comparison import (
    ComparedLine,
    Comparison,
    ImageComparison,
    LayersPart,
    split_of,
    third_image,
)
from weighbridge.domain.growth.cause import cause_json
from weighbridge.domain.size.weighing import (
    WeighedImage,
    WeighedLine,
    Weighing,
    WeighingCost,
    rfc3339,
    uncompressed_json,
)
from weighbridge.presentation.rows.report_rows import line_number

SCHEMA: Final = "weighbridge.compare/1"


def comparison_json(
    comparison: Comparison, cost: WeighingCost | None = None
) -> dict[str, object]:
    """What `compare -o json` prints and `GET /api/v1/compare` answers.

    cost: of asking registries, None where the numbers were kept
    """
    return {
        "schema": SCHEMA,
        "a": _weighing_json(comparison.before),
        "b": _weighing_json(comparison.after),
        "c": comparison.third and _weighing_json(comparison.third),
        "has_common_platform": comparison.has_common_platform,
        "images": [
            _images_json(images, third_image(images, comparison.third))
            for images in comparison.images
        ],
        "cost": cost and {**asdict(cost), "seconds": round(cost.seconds, 3)},
        "warnings": comparison_warnings(comparison),
    }


def comparison_warnings(comparison: Comparison) -> list[str]:
    """What is missing or odd of either, and of comparing the two."""
    found = []
    if comparison.images and not comparison.has_common_platform:
        one = comparison.images[0]
        found.append(
            "they have no platform in common:"
            f" {one.before.platform} is compared with {one.after.platform}"
        )
    found += [
        f"{images.after.platform}: layers that both have are"
        f" {images.shared_before.compressed_bytes:,} bytes by the first's word and"
        f" {images.shared.compressed_bytes:,} by the second's; each image is weighed by"
        " its own"
        for images in comparison.images
        if images.shared.compressed_bytes != images.shared_before.compressed_bytes
    ]
    if comparison.left_out:
        platforms = ", ".join(map(str, comparison.left_out))
        found.append(
            "not compared, as the images are too many or too large at once:"
            f" {platforms}; ask for each by itself"
        )
    for weighing in filter(
        None, (comparison.before, comparison.after, comparison.third)
    ):
        found += [f"{weighing.reference}: {text}" for text in weighing.warnings]
    return found


def _weighing_json(weighing: Weighing) -> dict[str, object]:
    return {
        "reference": weighing.reference,
        "registry": weighing.registry,
        "repository": weighing.repository,
        "tag": weighing.tag,
        "digest": weighing.digest,
        "media_type": weighing.media_type,
        "kind": weighing.kind,
        "platforms": [str(platform) for platform in weighing.platforms],
    }


def _images_json(
    images: ImageComparison, third: WeighedImage | None
) -> dict[str, object]:
    platform = images.platform
    again = images.pulled_again
    because = again and again.because
    return {
        "platform": None if platform is None else str(platform),
        "is_same": images.is_same,
        "a": _image_json(images.before),
        "b": _image_json(images.after),
        "c": third and _third_json(images, third),
        "grown_compressed_bytes": images.grown_bytes,
        "grown_uncompressed_bytes": images.grown_uncompressed_bytes,
        "pull_bytes": images.pull_bytes,
        "shared": _part_json(images.shared),
        "only_a": _part_json(images.only_before),
        "only_b": _part_json(images.only_after),
        "lines": [_line_json(images, line) for line in images.lines],
        "cause": cause_json(images.cause),
        "pulled_again": again
        and {
            "lines": again.lines,
            "compressed_bytes": again.compressed_bytes,
            "because": because and because.instruction,
        },
    }


def _image_json(image: WeighedImage) -> dict[str, object]:
    return {
        "platform": str(image.platform),
        "digest": image.digest,
        "created_at": rfc3339(image.created_at),
        "compressed_bytes": image.compressed_bytes,
        "compressed_confidence": image.compressed_confidence,
        "claimed_bytes": image.claimed_bytes,
        **uncompressed_json(image.uncompressed),
        "layers": len(image.layers),
        "history_alignment": image.history_alignment,
        "base": None if image.base is None else image.base.as_json(),
    }


def _third_json(images: ImageComparison, third: WeighedImage) -> dict[str, object]:
    split = split_of(third, images.before, images.after)
    return {
        **_image_json(third),
        "in_all": _part_json(split.in_all),
        "only_c": _part_json(split.alone),
    }


def _part_json(part: LayersPart) -> dict[str, object]:
    return {
        "compressed_bytes": part.compressed_bytes,
        "compressed_confidence": part.compressed_confidence,
        **uncompressed_json(part.uncompressed),
        "layers": [
            {
                "digest": layer.digest,
                "compressed_bytes": layer.compressed_bytes,
                "compressed_confidence": layer.compressed_confidence,
                "claimed_bytes": layer.claimed_bytes,
                **uncompressed_json(layer.uncompressed),
                "foreign": layer.is_foreign,
            }
            for layer in part.layers
        ],
    }


def _line_json(images: ImageComparison, line: ComparedLine) -> dict[str, object]:
    return {
        "change": line.change,
        "instruction": line.instruction,
        "a": _side_json(images.before, line.before),
        "b": _side_json(images.after, line.after),
        "grown_compressed_bytes": line.grown_bytes,
    }


def _side_json(
    image: WeighedImage, line: WeighedLine | None
) -> dict[str, object] | None:
    if line is None:
        return None
    layer = None if line.layer is None else image.layers[line.layer]
    return {
        "line": line_number(line),
        "layer": line.layer,
        "digest": layer and layer.digest,
        "instruction": line.instruction,
        "compressed_bytes": line.compressed_bytes,
        "compressed_confidence": layer and layer.compressed_confidence,
        "uncompressed_bytes": line.uncompressed_bytes,
    }


_SIDE_KEYS: Final = (
    "line",
    "layer",
    "digest",
    "instruction",
    "compressed_bytes",
    "compressed_confidence",
    "uncompressed_bytes",
)
COMPARED_LINE_COLUMNS: Final = (
    "platform",
    "change",
    *(f"a_{key}" for key in _SIDE_KEYS),
    *(f"b_{key}" for key in _SIDE_KEYS),
    "grown_compressed_bytes",
)


def compared_line_rows(images: ImageComparison) -> Iterator[dict[str, object]]:
    """The lines of one platform; empty on the side that has none."""
    platform = images.platform or images.after.platform
    for line in images.lines:
        row: dict[str, object] = {
            "platform": str(platform),
            "change": line.change,
            "grown_compressed_bytes": line.grown_bytes,
        }
        for side, image, one in (
            ("a", images.before, line.before),
            ("b", images.after, line.after),
        ):
            cells = _side_json(image, one) or {}
            row |= {f"{side}_{key}": value for key, value in cells.items()}
        yield row
