"""What is over its limit, growing, or heavy: the repositories of the overview."""

from typing import Final

from dashboard_builders import colours, fields, links
from dashboard_builders.fields import Look
from dashboard_builders.inventory import Sizes
from dashboard_builders.layout import Section, Strip
from dashboard_builders.lines import Line, chart
from dashboard_builders.panels import bars
from dashboard_builders.queries import OF_REPOSITORY, only
from dashboard_builders.shapes import Object
from dashboard_builders.tables import Column, Label, table

_ROWS: Final = 50
_BARS: Final = 12
_LINES: Final = 8

_BYTES: Final = Look(fields.BYTES)
_LIMIT: Final = Look(fields.BYTES, "no limit")
_SHARE: Final = Look(fields.RATIO, "no limit", fields.SHARE_OF_LIMIT)
_GROWTH: Final = Look(fields.RATIO, "no baseline", fields.GROWTH, decimals=0)
_WITHIN: Final = {0: ("within", colours.NONE), 1: ("over", colours.OVER)}


def over_a_limit(sizes: Sizes) -> Section:
    return Section(
        "Over a limit, growing",
        [Strip(6, [_over_limit(sizes)]), Strip(8, [_growth(sizes)])],
    )


def heaviest(sizes: Sizes) -> Section:
    heavy = f"topk ({_BARS}, {sizes.newest})"
    freed = f"topk ({_BARS}, {sizes.exclusive})"
    return Section(
        "What is heavy",
        [
            Strip(12, [_heaviest(sizes)]),
            Strip(
                10,
                [
                    bars(
                        "Heaviest newest images",
                        "What a pull of each repository's newest image moves.",
                        heavy,
                        "{{registry}}/{{repository}}",
                        Look(fields.BYTES, "nothing read yet", calm=colours.OWN),
                        links.of_a_bar(),
                    ),
                    bars(
                        "Freed most if deleted",
                        "What only this repository refers to: freed when it is deleted"
                        " and the registry has collected its garbage.",
                        freed,
                        "{{registry}}/{{repository}}",
                        Look(fields.BYTES, "nothing read yet", calm=colours.SHARED),
                        links.of_a_bar(),
                    ),
                ],
            ),
            Strip(10, [_heaviest_over_time(sizes)]),
        ],
    )


def _over_limit(sizes: Sizes) -> Object:
    def over(expression: str) -> str:
        return only(expression, sizes.over_limit, OF_REPOSITORY)

    return table(
        "Over their limit",
        "Newest images that weigh more than policy allows. A pull moves the compressed"
        " bytes; on disk is after decompression.",
        _labels(sizes, sizes.over_limit),
        [
            Column("Compressed", over(sizes.newest), _BYTES),
            Column("Limit", over(sizes.limit), _LIMIT),
            Column(
                "Of limit",
                over(f"{sizes.newest} / {sizes.limit}"),
                _SHARE,
                "color-background",
            ),
            Column("On disk", over(sizes.on_disk), _BYTES),
            Column(
                "Of limit on disk",
                over(f"{sizes.on_disk} / {sizes.disk_limit}"),
                _SHARE,
                "color-background",
            ),
        ],
        sort="Compressed",
        empty="No repository is over its limit",
    )


def _growth(sizes: Sizes) -> Object:
    grown = f"topk ({_ROWS}, {sizes.growth_bytes} > 0)"

    def among(expression: str) -> str:
        return only(expression, grown, OF_REPOSITORY)

    return table(
        "Growth against the baseline",
        "Newest images that weigh more than their baseline, the median of the ten"
        " distinct images before them. A repository with fewer than three such images"
        " has no baseline.",
        _labels(sizes, grown),
        [
            Column("Compressed", among(sizes.newest), _BYTES),
            Column("Baseline", among(sizes.baseline), _BYTES),
            Column("Growth", grown, _BYTES),
            Column("Growth in %", among(sizes.growth), _GROWTH, "color-background"),
            Column(
                "Allowed", among(sizes.growth_limit), Look(fields.RATIO, "no limit")
            ),
            Column(
                "Verdict",
                among(sizes.has_grown_too_much),
                Look(fields.NUMBER, "no limit", words=_WITHIN),
                "color-background",
            ),
        ],
        sort="Growth",
        empty="No image weighs more than its baseline",
    )


def _heaviest(sizes: Sizes) -> Object:
    heavy = f"topk ({_ROWS}, {sizes.newest})"

    def among(expression: str) -> str:
        return only(expression, heavy, OF_REPOSITORY)

    bar = Look(fields.BYTES, calm=colours.OWN)
    return table(
        "Repositories by the weight of their newest image",
        f"The {_ROWS} heaviest. Compressed is what a pull moves; on disk is after"
        " decompression and may be an estimate; stored is what all tags of the"
        " repository lead to; freed is what nothing else refers to.",
        _labels(sizes, heavy),
        [
            Column("Compressed", heavy, bar, "gauge", 220),
            Column("On disk", among(sizes.on_disk), _BYTES),
            Column(
                "Baseline", among(sizes.baseline), Look(fields.BYTES, "no baseline")
            ),
            Column("Growth", among(sizes.growth), _GROWTH, "color-background"),
            Column("Limit", among(sizes.limit), _LIMIT),
            Column(
                "Of limit",
                among(f"{sizes.newest} / {sizes.limit}"),
                _SHARE,
                "color-background",
            ),
            Column("Stored", among(sizes.deduplicated), _BYTES),
            Column("Freed if deleted", among(sizes.exclusive), _BYTES),
        ],
        sort="Compressed",
        empty="No image has been read yet",
    )


def _heaviest_over_time(sizes: Sizes) -> Object:
    # The same repositories at every moment, so that no line has holes.
    last = f"topk ({_LINES}, {sizes.newest_at_the_end})"
    return chart(
        "Heaviest newest images over time",
        f"What a pull of the newest image moves, for the {_LINES} repositories that are"
        " heaviest at the end of the shown time.",
        [Line("{{registry}}/{{repository}}", only(sizes.newest, last, OF_REPOSITORY))],
        Look(fields.BYTES, "nothing read yet"),
    )


def _labels(sizes: Sizes, rows: str) -> tuple[Label, Label, Label]:
    """Which repository a row is, and whose. rows: the series that the table shows"""
    teams = only(sizes.teams, rows, OF_REPOSITORY)
    return (
        Label("repository", "Repository", 240, links.of_a_row()),
        Label("registry", "Registry", 110, links.of_a_registry_row()),
        Label("team", "Team", 90, expression=teams),
    )
