"""What `weighbridge policy` reads and prints."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from weighbridge.config import Settings
from weighbridge.domain.policy.base_limits import CertainBase
from weighbridge.domain.policy.policy import (
    KEYS,
    LIMIT_KEYS,
    Decided,
    LimitKey,
    Limits,
    limits_base,
)
from weighbridge.domain.policy.quantity import BASE_LIMITS, amount_in_words
from weighbridge.domain.policy.simulation import (
    Flagged,
    SimulatedImage,
    Simulation,
    simulate_limits,
)
from weighbridge.domain.text.globs import fits
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.csv_json_markdown import json_text
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.policy_rows import (
    SimulationRow,
    policy_rows,
    simulation_row,
    written_at,
)
from weighbridge.presentation.rows.report_rows import keys_of


def simulate_on_all(
    settings: Settings, limits: Limits, *, registry: str | None, pattern: str
) -> Simulation:
    """What the limits would flag now. Reads only.

    pattern: of the repositories' names
    Raises UsageError(unknown_registry), StoreError(no_database).
    """
    # Imported late: SQL takes half a second to load, and `explain` reads files only.
    from weighbridge.bootstrap.databases import read_database
    from weighbridge.store.bases.standing import certain_bases
    from weighbridge.store.reports.inventory import newest_images

    with_layers = limits.max_layer_compressed_bytes is not None
    with read_database(settings, registry) as connection:
        images = newest_images(connection, registry, with_layers=with_layers)
        fitting = [image for image in images if fits(pattern, image.repository)]
        if limits_base(limits):
            ids = {each.image_id for each in fitting if each.image_id is not None}
            bases = certain_bases(connection, ids, datetime.now(UTC))
            fitting = [_with_base(image, bases) for image in fitting]
        return simulate_limits(limits, fitting)


def _with_base(
    image: SimulatedImage, bases: Mapping[int, CertainBase]
) -> SimulatedImage:
    measured = replace(image.measured, base=bases.get(image.image_id or 0))
    return replace(image, measured=measured)


def amount(key: LimitKey, number: int, screen: Screen) -> str:
    """`1.08 GB`, `70 layers`, or `90 days`."""
    return amount_in_words(key, number, iec=screen.iec)


def explained(
    name: str, decided: Sequence[Decided], output: Output, screen: Screen
) -> str:
    """Every key; bytes and ratios as numbers in JSON and CSV."""
    table = _explained_table(iec=screen.iec)
    if output == "json":
        return json_text({"reference": name, "items": table.objects(decided)})
    shown = table.printed(decided, output, screen)
    return f"{name}\n{shown}" if output == "table" else shown


def _explained_table(*, iec: bool) -> Table[Decided]:
    return Table(
        columns=(
            Column("key", lambda each: each.key, "name"),
            Column("value", lambda each: _shown(each, iec), rank=None),
            Column(
                "policy", lambda each: each.policy.name if each.policy else "", rank=1
            ),
            Column("written in", _place),
        ),
        keys=("key", "value", "policy", "file", "line"),
        as_object=_row,
    )


def _row(decided: Decided) -> dict[str, object]:
    (row,) = policy_rows([decided])
    return row | written_at(decided)


def _place(decided: Decided) -> str:
    return "no policy sets it" if decided.policy is None else str(decided.place)


def _shown(decided: Decided, iec: bool) -> str:
    """`500 MB`, `25%`, `60 layers`; `none` for a limit that is not there."""
    value = decided.value
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, float):
        return f"{value * 100:.6g}%"
    key = next((key for key in LIMIT_KEYS if key == decided.key), None)
    if key is None:
        return format_bytes(value, iec=iec)
    return amount_in_words(key, value, iec=iec)


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
        f"{key} needs a {'base' if key in BASE_LIMITS else 'size'} that is not known"
        for key, count in simulation.unknown.items()
    ]
    return lines
