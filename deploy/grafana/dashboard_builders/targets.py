"""Queries of panels."""

from dashboard_builders.shapes import DATASOURCE, Object


def now(expression: str, letter: str = "A", legend: str = "__auto") -> Object:
    """The value at the end of the shown time."""
    return _target(expression, letter, legend) | {"instant": True, "range": False}


def over_time(expression: str, letter: str, legend: str) -> Object:
    """The values over the shown time, as one line for each set of labels."""
    return _target(expression, letter, legend) | {"instant": False, "range": True}


def row(expression: str, letter: str) -> Object:
    """The values at the end of the shown time, as one table row for each."""
    return now(expression, letter) | {"format": "table"}


def _target(expression: str, letter: str, legend: str) -> Object:
    return {
        "refId": letter,
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": expression,
        "legendFormat": legend,
    }
