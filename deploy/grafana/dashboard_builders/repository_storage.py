"""What a repository stores, and how much of it is its own."""

from typing import Final

from dashboard_builders import colours, fields
from dashboard_builders.fields import Look
from dashboard_builders.inventory import Sizes
from dashboard_builders.layout import Section, Strip
from dashboard_builders.lines import Line, chart
from dashboard_builders.panels import stat
from dashboard_builders.queries import Selection
from dashboard_builders.shapes import Object

_EMPTY: Final = "not read yet"


def storage(sizes: Sizes, registry: Selection) -> Section:
    return Section(
        "Storage: all tags and platforms of the repository",
        [Strip(4, _numbers(sizes, registry)), Strip(8, [_split(sizes)])],
    )


def _numbers(sizes: Sizes, registry: Selection) -> list[Object]:
    whole = registry.latest("weighbridge_registry_deduplicated_bytes")
    return [
        stat(
            "Stored",
            "The distinct blobs that the tags of this repository lead to.",
            sizes.deduplicated,
            Look(fields.BYTES, _EMPTY, calm=colours.OWN),
        ),
        stat(
            "Freed if deleted",
            "What nothing else in the same storage scope refers to: freed when the"
            " repository is deleted and the registry has collected its garbage.",
            sizes.exclusive,
            Look(fields.BYTES, _EMPTY, calm=colours.OWN),
        ),
        stat(
            "Shared with others",
            "What other repositories of the same storage scope refer to as well.",
            f"{sizes.deduplicated} - {sizes.exclusive}",
            Look(fields.BYTES, _EMPTY, calm=colours.SHARED),
        ),
        stat(
            "Of what the registry stores",
            "The stored bytes of this repository as a part of those of its registry."
            " Parts overlap where layers are shared.",
            f"{sizes.deduplicated} / {whole}",
            Look(fields.RATIO, _EMPTY, decimals=1),
        ),
    ]


def _split(sizes: Sizes) -> Object:
    return chart(
        "Own and shared",
        "What the repository stores, split into what only it refers to and what others"
        " refer to as well, stacked.",
        [
            Line("Exclusive to this repository", sizes.exclusive, colours.OWN),
            Line(
                "Shared with others",
                f"{sizes.deduplicated} - {sizes.exclusive}",
                colours.SHARED,
            ),
        ],
        Look(fields.BYTES, _EMPTY),
        stacked=True,
    )
