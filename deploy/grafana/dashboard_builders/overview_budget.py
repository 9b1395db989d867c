"""How much of the inventory Prometheus is given."""

from typing import Final

from dashboard_builders import colours, fields
from dashboard_builders.fields import Look
from dashboard_builders.layout import Section, Strip
from dashboard_builders.panels import stat
from dashboard_builders.queries import Selection

_EMPTY: Final = "no inventory"
_LEVELS: Final = {
    0: ("registries only", colours.OVER),
    1: ("some repositories", colours.NEAR),
    2: ("core families", colours.BASE),
    3: ("everything", colours.BASE),
}


def budget(service: Selection) -> Section:
    series = service.latest("weighbridge_exporter_series")
    limit = service.latest("weighbridge_exporter_series_limit")
    omitted = service.latest("weighbridge_exporter_repositories_omitted")
    snapshot = service.age("weighbridge_exporter_snapshot_timestamp_seconds")
    return Section(
        "The series budget: how much of the inventory is here",
        [
            Strip(
                4,
                [
                    stat(
                        "Shown",
                        "Repositories with series of their own.",
                        service.latest("weighbridge_exporter_repositories_exposed"),
                        Look(fields.COUNT, _EMPTY),
                    ),
                    stat(
                        "Left out",
                        "Repositories that the budget leaves out: the lightest ones."
                        " Raise metrics.max_series to see them here.",
                        omitted,
                        Look(fields.COUNT, _EMPTY, fields.ANY_IS_WORTH_A_LOOK),
                    ),
                    stat(
                        "Pinned, left out",
                        "Of those left out, the ones that metrics.pin names: the budget"
                        " is too small for the patterns.",
                        service.latest(
                            "weighbridge_exporter_pinned_repositories_omitted"
                        ),
                        Look(fields.COUNT, _EMPTY, fields.ANY_IS_BAD),
                    ),
                    stat(
                        "Budget used",
                        "Series of the inventory, as a part of metrics.max_series.",
                        f"{series} / {limit}",
                        Look(fields.RATIO, _EMPTY),
                        trend=True,
                    ),
                    stat(
                        "Detail",
                        "The step of the budget's ladder.",
                        service.latest("weighbridge_exporter_detail_level"),
                        Look(fields.NUMBER, _EMPTY, words=_LEVELS),
                    ),
                    stat(
                        "Age of the inventory",
                        "How long ago the numbers of repositories and registries were"
                        " last known to be current.",
                        snapshot,
                        Look(
                            fields.SECONDS,
                            _EMPTY,
                            ((300, colours.NEAR), (900, colours.OVER)),
                            decimals=0,
                        ),
                    ),
                ],
            )
        ],
    )
