"""Panels of lines over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from dashboard_builders import targets
from dashboard_builders.fields import Look, defaults, override
from dashboard_builders.panels import panel
from dashboard_builders.shapes import Object


@dataclass(frozen=True, slots=True)
class Line:
    """One query of a chart.

    name:   of the line; a template such as `{{registry}}` where there are several
    color:  None where Grafana chooses, as for several lines
    dashed: whether it is a limit and not a measurement
    """

    name: str
    expression: str
    color: str | None = None
    dashed: bool = False


def chart(
    title: str,
    description: str,
    lines: Sequence[Line],
    look: Look,
    *,
    stacked: bool = False,
    steps: bool = True,
    from_zero: bool = True,
) -> Object:
    """Lines over time. Sizes change in steps, when a crawl lands; rates do not."""
    queries = [
        targets.over_time(line.expression, letter, line.name)
        for letter, line in zip(ascii_uppercase, lines, strict=False)
    ]
    shape = _shape("stepAfter" if steps else "linear", stacked=stacked)
    looks = defaults(look) | {"color": {"mode": "palette-classic"}, "custom": shape}
    if from_zero:
        looks["min"] = 0
    return panel("timeseries", title, description, queries) | {
        "fieldConfig": {
            "defaults": looks,
            "overrides": [_painted(line) for line in lines if line.color],
        },
        "options": {
            "legend": {
                "displayMode": "list",
                "placement": "bottom",
                "showLegend": True,
                "calcs": ["lastNotNull"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def _painted(line: Line) -> Object:
    properties: Object = {"color": {"mode": "fixed", "fixedColor": line.color}}
    if line.dashed:
        properties["custom.lineStyle"] = {"fill": "dash", "dash": [8, 6]}
        properties["custom.fillOpacity"] = 0
        # What a limit says is not part of what is measured.
        properties["custom.stacking"] = {"mode": "none", "group": "limits"}
    return override(line.name, properties)


def _shape(interpolation: str, *, stacked: bool) -> Object:
    return {
        "drawStyle": "line",
        "lineInterpolation": interpolation,
        "lineWidth": 2,
        "fillOpacity": 40 if stacked else 6,
        "showPoints": "auto",
        "pointSize": 4,
        "spanNulls": False,
        "axisPlacement": "auto",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "off"},
    }
