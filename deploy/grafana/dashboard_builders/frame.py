"""What both dashboards have around their panels."""

from collections.abc import Sequence
from typing import Final

from dashboard_builders.layout import Section, lay_out
from dashboard_builders.shapes import Object

# Grafana 10.4 and later read this form and bring it up to their own.
_SCHEMA_VERSION: Final = 39


def dashboard(
    uid: str,
    title: str,
    description: str,
    *,
    variables: Sequence[Object],
    links: Sequence[Object],
    sections: Sequence[Section],
    annotations: Sequence[Object] = (),
) -> Object:
    """A dashboard that is changed by changing its builder, not in the browser."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["weighbridge"],
        "schemaVersion": _SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-30d", "to": "now"},
        "refresh": "5m",
        "timepicker": {},
        "links": list(links),
        "templating": {"list": list(variables)},
        "annotations": {"list": list(annotations)},
        "panels": lay_out(sections),
    }
