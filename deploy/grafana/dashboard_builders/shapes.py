"""What a dashboard is made of, and what all its parts refer to."""

from typing import Final, TypeAlias

Object: TypeAlias = dict[str, object]
"""A JSON object as Grafana reads it."""

DATASOURCE: Final[Object] = {"type": "prometheus", "uid": "${datasource}"}
"""The Prometheus that the person has chosen at the top of the dashboard."""

OVERVIEW_UID: Final = "weighbridge-overview"
REPOSITORY_UID: Final = "weighbridge-repository"
