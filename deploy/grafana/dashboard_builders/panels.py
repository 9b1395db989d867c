"""Panels of one number or of bars, without their place on the dashboard."""

from collections.abc import Sequence

from dashboard_builders import targets
from dashboard_builders.fields import Look, defaults
from dashboard_builders.shapes import DATASOURCE, Object


def panel(kind: str, title: str, description: str, queries: Sequence[Object]) -> Object:
    """What every panel has."""
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": list(queries),
    }


def stat(
    title: str, description: str, expression: str, look: Look, *, trend: bool = False
) -> Object:
    """One large number; with `trend`, its line over the shown time behind it."""
    query = (
        targets.over_time(expression, "A", title)
        if trend
        else targets.now(expression, "A", title)
    )
    return panel("stat", title, description, [query]) | {
        "fieldConfig": {"defaults": defaults(look), "overrides": []},
        "options": _stat_options("area" if trend else "none", "value"),
    }


def word(title: str, description: str, expression: str, legend: str) -> Object:
    """The value of a label."""
    query = targets.now(expression, "A", legend)
    return panel("stat", title, description, [query]) | {
        "fieldConfig": {"defaults": defaults(Look("none")), "overrides": []},
        "options": _stat_options("none", "name"),
    }


def bars(
    title: str,
    description: str,
    expression: str,
    legend: str,
    look: Look,
    links: Sequence[Object],
) -> Object:
    """Horizontal bars from zero, the longest first, that lead somewhere."""
    query = targets.now(f"sort_desc ({expression})", "A", legend)
    looks = defaults(look) | {"min": 0, "links": list(links)}
    return panel("bargauge", title, description, [query]) | {
        "fieldConfig": {"defaults": looks, "overrides": []},
        "options": {
            "displayMode": "basic",
            "orientation": "horizontal",
            "reduceOptions": _LAST,
            "showUnfilled": False,
            "valueMode": "text",
            "namePlacement": "left",
            "sizing": "manual",
            "minVizWidth": 8,
            "minVizHeight": 16,
            "maxVizHeight": 24,
        },
    }


def _stat_options(graph: str, text: str) -> Object:
    return {
        "colorMode": "value",
        "graphMode": graph,
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": _LAST,
        "textMode": text,
        "wideLayout": True,
    }


_LAST: Object = {"calcs": ["lastNotNull"], "fields": "", "values": False}
