"""What `weighbridge policy simulate` prints."""

from collections.abc import Mapping

from weighbridge.domain.policy.policy import KEYS
from weighbridge.domain.policy.simulation import Flagged, Simulation
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.reports.violation_output import amount
from weighbridge.presentation.rows.row_fields import keys_of
from weighbridge.presentation.rows.simulation_rows import SimulationRow, simulation_row


def tried(simulation: Simulation, output: Output, screen: Screen) -> str:
    """A row for each limit that a repository would exceed, the worst first."""
    return _table(screen).printed(
        simulation.flagged,
        output,
        screen,
        foot=_totals(simulation),
        beside=_beside(simulation),
    )


def _table(screen: Screen) -> Table[Flagged]:
    return Table(
        columns=(
            Column(
                "over by",
                lambda row: amount(row.finding.key, row.finding.excess, screen),
                "number",
                rank=5,
            ),
            Column("amount", lambda row: _amount(row, screen), "number", rank=2),
            Column(
                "limit",
                lambda row: amount(row.finding.key, row.finding.limit_amount, screen),
                "number",
                rank=1,
            ),
            Column("key", lambda row: row.finding.key, rank=4),
            Column(
                "repository",
                lambda row: f"{row.image.registry}/{row.image.repository}",
                "name",
            ),
            Column("tag", _tag, rank=3),
        ),
        keys=keys_of(SimulationRow),
        as_object=simulation_row,
    )


def _beside(simulation: Simulation) -> Mapping[str, object]:
    given = simulation.limits.by_key
    return {
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


def _amount(flagged: Flagged, screen: Screen) -> str:
    key = flagged.finding.key
    is_estimate = flagged.image.is_estimate and key == "max_uncompressed"
    mark = "~" if is_estimate else ""
    return f"{mark}{amount(key, flagged.finding.amount or 0, screen)}"


def _tag(flagged: Flagged) -> str:
    is_of_image = flagged.finding.key != "max_deduplicated"
    return flagged.image.tag or "" if is_of_image else "all tags"


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
