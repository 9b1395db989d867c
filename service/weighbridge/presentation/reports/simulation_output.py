"""What `weighbridge policy simulate` prints."""

from collections.abc import Mapping
from typing import Final

from weighbridge.domain.policy.policy import KEYS
from weighbridge.domain.policy.simulation import Flagged, Simulation
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.forms.screen import Output, Screen, aligned
from weighbridge.presentation.forms.tables import (
    code,
    csv_table,
    json_text,
    markdown_table,
)
from weighbridge.presentation.image.image_words import plural
from weighbridge.presentation.reports.violation_output import amount
from weighbridge.presentation.rows.simulation_rows import SimulationRow, simulation_row

_COLUMNS: Final = tuple(SimulationRow.__dataclass_fields__)
_TITLES: Final = ("over by", "amount", "limit", "key", "repository", "tag")


def tried(simulation: Simulation, output: Output, screen: Screen) -> str:
    """A row for each limit that a repository would exceed, the worst first."""
    if output == "json":
        return json_text(_whole(simulation))
    if output == "csv":
        return csv_table(_COLUMNS, map(simulation_row, simulation.flagged))
    cells = [_cells(flagged, screen) for flagged in simulation.flagged]
    if output == "markdown":
        rows = [[*row[:3], *map(code, row[3:])] for row in cells]
        return markdown_table(_TITLES, rows, numeric=3)
    lines = []
    if cells:
        heads = [title.upper() for title in _TITLES]
        lines = [*aligned([heads, *cells], screen, gap=2), ""]
    return "\n".join(
        [*lines, *(screen.wrapped(words) for words in _totals(simulation))]
    )


def _whole(simulation: Simulation) -> Mapping[str, object]:
    given = simulation.limits.by_key
    return {
        "items": [simulation_row(flagged) for flagged in simulation.flagged],
        "limits": {
            key: given[key]
            for key in KEYS
            if key not in ("team", "severity") and given[key] is not None
        },
        "repositories": simulation.repositories,
        "exceeding": simulation.exceeding,
        "by_key": dict(simulation.by_key),
        "unknown": dict(simulation.unknown),
    }


def _cells(flagged: Flagged, screen: Screen) -> list[str]:
    image, finding = flagged.image, flagged.finding
    is_of_image = finding.key != "max_deduplicated"
    is_estimate = image.is_estimate and finding.key == "max_uncompressed"
    mark = "~" if is_estimate else ""
    return [
        amount(finding.key, finding.excess, screen),
        f"{mark}{amount(finding.key, finding.amount or 0, screen)}",
        amount(finding.key, finding.limit_amount, screen),
        finding.key,
        printable(f"{image.registry}/{image.repository}"),
        printable(image.tag or "") if is_of_image else "all tags",
    ]


def _totals(simulation: Simulation) -> list[str]:
    """How many of how many, limit by limit where there are several."""
    if not simulation.repositories:
        return ["no repository that was crawled fits"]
    every = plural(simulation.repositories, "repository", "repositories")
    lines = [f"{simulation.exceeding:,} of {every} would be over a limit"]
    if len(simulation.by_key) > 1:
        lines += [f"  {key}: {count:,}" for key, count in simulation.by_key.items()]
    lines += [
        f"  of {plural(count, 'repository', 'repositories')} it is unknown: "
        f"{key} needs a size that is not known"
        for key, count in simulation.unknown.items()
    ]
    return lines
