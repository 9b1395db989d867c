"""Tags, pushes and looks of a repository: the families that have to be asked for."""

from dashboard_builders import colours, fields
from dashboard_builders.fields import Look
from dashboard_builders.inventory import Sizes
from dashboard_builders.layout import Section, Strip
from dashboard_builders.lines import Line, chart
from dashboard_builders.panels import stat
from dashboard_builders.queries import Selection
from dashboard_builders.shapes import DATASOURCE, Object

_PUSHED = "weighbridge_repository_newest_image_pushed_timestamp_seconds"
_TAGS = "weighbridge_repository_tags"
_AUDITED = "weighbridge_repository_last_audit_timestamp_seconds"


def tags_and_pushes(sizes: Sizes, repository: Selection) -> Section:
    return Section(
        "Tags, pushes and crawls (metrics.families: [tags, largest, pushed, audited])",
        [
            Strip(
                4,
                [
                    stat(
                        "Tags",
                        "Tags that exist.",
                        repository.latest(_TAGS),
                        Look(fields.COUNT, _not_wanted("tags")),
                    ),
                    stat(
                        "Largest tagged image",
                        "What a pull of the largest image of this repository moves.",
                        sizes.largest,
                        Look(fields.BYTES, _not_wanted("largest"), calm=colours.OWN),
                    ),
                    stat(
                        "Newest image pushed",
                        "How long ago the newest image was pushed, or a crawl first"
                        " found its tag there. Unknown where another rule chose the"
                        " newest image.",
                        repository.age(_PUSHED),
                        Look(fields.SECONDS, "unknown", decimals=0),
                    ),
                    stat(
                        "Last complete crawl",
                        "How long ago the last complete crawl of the repository ended.",
                        repository.age(_AUDITED),
                        Look(fields.SECONDS, _not_wanted("audited"), decimals=0),
                    ),
                ],
            ),
            Strip(
                8,
                [
                    chart(
                        "Tags over time",
                        "Tags that exist.",
                        [Line("Tags", repository.latest(_TAGS), colours.OWN)],
                        Look(fields.COUNT, _not_wanted("tags"), decimals=0),
                    ),
                    chart(
                        "Newest and largest image",
                        "What a pull of the newest and of the largest tagged image"
                        " moves.",
                        [
                            Line("Largest image", sizes.largest, colours.BASE),
                            Line("Newest image", sizes.newest, colours.OWN),
                        ],
                        Look(fields.BYTES, "no image read"),
                    ),
                ],
            ),
        ],
    )


def pushes(repository: Selection) -> Object:
    """A mark on every chart at each moment at which the newest image was pushed."""
    return {
        "name": "Pushes",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": colours.NEAR,
        "expr": f"{repository.latest(_PUSHED)} * 1000",
        # The value is the moment, in milliseconds, not that of the sample.
        "useValueForTime": True,
        "step": "60s",
        "titleFormat": "Newest image pushed",
    }


def _not_wanted(family: str) -> str:
    return f"not in metrics.families: {family}"
