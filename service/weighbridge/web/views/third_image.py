"""A third image beside two that are compared: how much of each all three have, how much
two of them, and how much one alone.
"""

from collections.abc import Sequence

from msgspec import Struct

from weighbridge.domain.comparison.comparison import (
    Comparison,
    split_of,
    third_image,
)
from weighbridge.domain.size.weighing import Weighing
from weighbridge.web.views.charts import row_share
from weighbridge.web.views.comparison import Measure
from weighbridge.web.views.words import Amount


class ThreeRow(Struct, frozen=True):
    """One of three images, in the bytes that are shown. Parts of the bar are percent of
    the column, all on one scale; none where a size is not known."""

    weighing: Weighing
    total: Amount
    in_all: Amount
    in_one: Amount
    alone: Amount
    layers: int
    bar: Sequence[float] | None


def three_rows(comparison: Comparison, measure: Measure) -> Sequence[ThreeRow]:
    """A row for each, of the platform that is shown; none where the third image has
    none for it."""
    images = comparison.images[0]
    third = third_image(images, comparison.third)
    if third is None or comparison.third is None:
        return ()
    three = images.before, images.after, third
    largest = max(measure.image(each).number or 0 for each in three)
    rows = []
    weighings = comparison.before, comparison.after, comparison.third
    for place, (weighing, image) in enumerate(zip(weighings, three, strict=True)):
        one, other = (each for n, each in enumerate(three) if n != place)
        split = split_of(image, one, other)
        parts = [split.in_all, split.in_one, split.alone]
        in_all, in_one, alone = (measure.part(part) for part in parts)
        numbers = [each.number for each in (in_all, in_one, alone)]
        bar = [row_share(number, largest) for number in numbers if number is not None]
        rows.append(
            ThreeRow(
                weighing=weighing,
                total=measure.image(image),
                in_all=in_all,
                in_one=in_one,
                alone=alone,
                layers=len(split.alone.layers),
                bar=bar if len(bar) == len(parts) else None,
            )
        )
    return rows
