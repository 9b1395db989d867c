"""A dashboard as the text of its file."""

import json

from dashboard_builders.shapes import Object


def written(dashboard: Object) -> str:
    """The same bytes for the same dashboard, made to be read in a diff."""
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
