"""Colours by what they mean, as on the pages of Weighbridge.

Each has a contrast of at least 3:1 to the panels of Grafana's light theme and of its
dark one, so that one value serves both.
"""

from typing import Final

BASE: Final = "#6B7280"
"""Nothing asks for action; also the baseline."""
OWN: Final = "#0072B2"
"""What is measured."""
NEAR: Final = "#B45309"
"""Near a limit, late."""
SHARED: Final = "#007A5A"
"""Held by several; also well."""
OVER: Final = "#D03B2C"
"""Over a limit, failed, stale."""
NONE: Final = "transparent"
"""Behind a cell of a table that asks for nothing."""
