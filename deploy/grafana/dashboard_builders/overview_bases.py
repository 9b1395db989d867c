"""What images stand on: the bases that most bytes of the fleet stand on."""

from typing import Final

from dashboard_builders import colours, fields, links
from dashboard_builders.fields import Look
from dashboard_builders.layout import Section, Strip
from dashboard_builders.lines import Line, chart
from dashboard_builders.queries import Selection
from dashboard_builders.shapes import Object
from dashboard_builders.tables import Column, Label, table

_NONE: Final = "no base is known"
_BYTES: Final = Look(fields.BYTES, _NONE)
_COUNT: Final = Look(fields.COUNT, _NONE)
_SHARE: Final = Look(fields.RATIO, _NONE, decimals=0)


def bases(service: Selection) -> Section:
    """Over all registries, whichever are chosen."""
    of_bases = service.by("base_image")
    return Section(
        "Bases, over all registries",
        [Strip(8, [_table(of_bases), _over_time(of_bases)])],
    )


def _table(of_bases: Selection) -> Object:
    inherited = of_bases.latest("weighbridge_base_image_bytes")
    own = of_bases.latest("weighbridge_base_image_own_bytes")
    return table(
        "Bases",
        "Images on each base, each image once: what of their bytes is the base's, and"
        " what is above it. To rebuild: repositories whose newest image is on an older"
        " build of it. Only the bases that most bytes stand on have series.",
        [Label("base_image", "Base", 220, links.of_a_base_row())],
        [
            Column(
                "Repositories",
                of_bases.latest("weighbridge_base_image_repositories"),
                _COUNT,
            ),
            Column(
                "To rebuild",
                of_bases.latest("weighbridge_base_image_outdated_repositories"),
                _COUNT,
            ),
            Column("Of the base", inherited, _BYTES),
            Column("Above it", own, _BYTES),
            Column("Share", f"{inherited} / ({inherited} + {own})", _SHARE),
        ],
        sort="Of the base",
        empty="No image is known to stand on a base",
    )


def _over_time(of_bases: Selection) -> Object:
    def total(metric: str) -> str:
        return f"sum ({of_bases.latest(metric)})"

    return chart(
        "Repositories on a base, and to rebuild",
        "All bases that are shown together.",
        [
            Line(
                "On a base",
                total("weighbridge_base_image_repositories"),
                colours.BASE,
            ),
            Line(
                "To rebuild",
                total("weighbridge_base_image_outdated_repositories"),
                colours.OVER,
            ),
        ],
        Look(fields.COUNT, _NONE),
    )
