"""What the newest image of a repository weighs, now and over time."""

from typing import Final

from dashboard_builders import colours, fields
from dashboard_builders.fields import Look
from dashboard_builders.inventory import Sizes
from dashboard_builders.layout import Section, Strip
from dashboard_builders.lines import Line, chart
from dashboard_builders.panels import stat, word
from dashboard_builders.queries import Selection
from dashboard_builders.shapes import Object

_GIGABIT_IN_BYTES: Final = 125_000_000
_OWN: Final = Look(fields.BYTES, "no image read", calm=colours.OWN)


def newest(sizes: Sizes, registry: Selection) -> Section:
    age = registry.age("weighbridge_crawl_last_success_timestamp_seconds")
    interval = registry.latest("weighbridge_crawl_interval_seconds")
    return Section(
        "The newest image of $repository",
        [
            Strip(
                4,
                [
                    stat(
                        "Compressed",
                        "What a pull of the newest image moves, each distinct layer"
                        " once, on the platform that the repository is weighed on.",
                        sizes.newest,
                        _OWN,
                        trend=True,
                    ),
                    stat(
                        "On disk",
                        "The newest image after decompression. It may be an estimate;"
                        " the page in Weighbridge says how it is known.",
                        sizes.on_disk,
                        Look(fields.BYTES, "not measured", calm=colours.OWN),
                        trend=True,
                    ),
                    stat(
                        "Against the baseline",
                        "Growth over the median of the ten distinct images before it."
                        " There is none below three such images.",
                        sizes.growth,
                        Look(fields.RATIO, "no baseline", fields.GROWTH, decimals=0),
                    ),
                    stat(
                        "Of its limit",
                        "The compressed bytes as a part of what policy allows.",
                        f"{sizes.newest} / {sizes.limit}",
                        Look(
                            fields.RATIO, "no limit", fields.SHARE_OF_LIMIT, decimals=0
                        ),
                    ),
                    stat(
                        "A pull takes about",
                        "The compressed bytes over a line of 1 Gbit/s, with nothing"
                        " there before.",
                        f"{sizes.newest} / {_GIGABIT_IN_BYTES}",
                        Look(fields.SECONDS, "no image read"),
                    ),
                    word(
                        "Weighed platform",
                        "The platform that the sizes of this repository are of.",
                        sizes.platforms,
                        "{{platform}}",
                    ),
                    stat(
                        "Age of the registry's data",
                        "How long ago the last complete crawl of a repository of this"
                        " registry ended.",
                        age,
                        Look(fields.SECONDS, "never", decimals=0),
                    ),
                    stat(
                        "In crawl intervals",
                        "The same, measured in crawl intervals of the registry: late"
                        " from one and a half, stale from two and a half.",
                        f"({age}) / {interval}",
                        Look(fields.NUMBER, "never", fields.INTERVALS, decimals=1),
                    ),
                ],
            )
        ],
    )


def over_time(sizes: Sizes) -> Section:
    return Section(
        "Over time, against baseline and limits",
        [
            Strip(10, [_compressed(sizes)]),
            Strip(8, [_on_disk(sizes), _growth(sizes)]),
        ],
    )


def _compressed(sizes: Sizes) -> Object:
    allowed = f"{sizes.baseline} * {sizes.growth_limit}"
    # Growth is too much above the ratio and from the least bytes on: the later one.
    least = f"{sizes.growth_minimum} > ({allowed}) or ({allowed})"
    return chart(
        "Compressed over time",
        "What a pull of the newest image moves, the median of the ten images before"
        " it, and the two limits of policy: on the weight itself and on the growth.",
        [
            Line("Newest image", sizes.newest, colours.OWN),
            Line("Baseline", sizes.baseline, colours.BASE),
            Line("Limit", sizes.limit, colours.OVER, dashed=True),
            Line(
                "Baseline and allowed growth",
                f"{sizes.baseline} + ({least})",
                colours.NEAR,
                dashed=True,
            ),
        ],
        Look(fields.BYTES, "No image of this repository has been read"),
    )


def _on_disk(sizes: Sizes) -> Object:
    return chart(
        "On disk over time",
        "The newest image after decompression, and its limit where policy sets one.",
        [
            Line("Newest image", sizes.on_disk, colours.OWN),
            Line("Limit", sizes.disk_limit, colours.OVER, dashed=True),
        ],
        Look(fields.BYTES, "Not measured yet, or the size of a layer is not known"),
    )


def _growth(sizes: Sizes) -> Object:
    return chart(
        "Growth against the baseline",
        "How much heavier the newest image is than the median of the ten before it,"
        " and the growth that policy allows. Below zero it is lighter.",
        [
            Line("Growth", sizes.growth, colours.OWN),
            Line("Allowed", sizes.growth_limit, colours.OVER, dashed=True),
        ],
        Look(fields.RATIO, "Fewer than three images before the newest"),
        from_zero=False,
    )
