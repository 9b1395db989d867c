"""Reading and checking the Grafana dashboards without a Grafana."""

from pathlib import Path
from typing import Final

GRAFANA: Final = Path(__file__).parents[3] / "deploy" / "grafana"
DASHBOARDS: Final = GRAFANA / "dashboards"
