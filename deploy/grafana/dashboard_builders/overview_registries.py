"""What registries hold in all."""

from typing import Final

from dashboard_builders import colours, fields, links
from dashboard_builders.fields import Look
from dashboard_builders.layout import Section, Strip
from dashboard_builders.lines import Line, chart
from dashboard_builders.queries import Selection, count_or_zero
from dashboard_builders.shapes import Object
from dashboard_builders.tables import Column, Label, table

STALE_INTERVALS: Final = 2.5
"""Two whole crawls were missed, and half of one for those that take long."""

_BYTES: Final = Look(fields.BYTES, "not read yet")
_COUNT: Final = Look(fields.COUNT, "not read yet")


def totals(registries: Selection) -> Section:
    return Section(
        "Registries: totals over all repositories, shown or not",
        [
            Strip(6, [_table(registries)]),
            Strip(8, [_over_time(registries), _by_registry(registries)]),
        ],
    )


def not_fresh(registries: Selection) -> str:
    """How many registries did not answer, or were not seen for too long."""
    interval = registries.latest("weighbridge_crawl_interval_seconds")
    down = f"{registries.latest('weighbridge_registry_up')} == 0"
    age = registries.age("weighbridge_crawl_last_success_timestamp_seconds")
    late = f"({age}) > {STALE_INTERVALS} * {interval}"
    return count_or_zero(f"{down} or {late}", interval)


def _table(registries: Selection) -> Object:
    referenced = registries.latest("weighbridge_registry_referenced_bytes")
    stored = registries.latest("weighbridge_registry_deduplicated_bytes")
    return table(
        "Registries",
        "What each registry holds. Referenced is the sum over all tags;"
        " stored counts each blob once; shared is the part of it that two"
        " repositories or more refer to.",
        [registry_label()],
        [
            Column(
                "Repositories",
                registries.latest("weighbridge_registry_repositories"),
                _COUNT,
            ),
            Column("Tags", registries.latest("weighbridge_registry_tags"), _COUNT),
            Column("Images", registries.latest("weighbridge_registry_images"), _COUNT),
            Column("Referenced", referenced, _BYTES),
            Column("Stored", stored, _BYTES),
            Column(
                "Shared",
                registries.latest("weighbridge_registry_shared_bytes"),
                _BYTES,
            ),
            Column(
                "Referenced / stored",
                f"{referenced} / {stored}",
                Look(fields.NUMBER, "not read yet", decimals=1),
            ),
        ],
        sort="Stored",
        empty="No registry has been crawled yet",
    )


def _over_time(registries: Selection) -> Object:
    def total(metric: str) -> str:
        return f"sum ({registries.latest(metric)})"

    return chart(
        "Referenced, stored and shared",
        "All chosen registries together. The distance between referenced and stored is"
        " what sharing of layers saves.",
        [
            Line(
                "Referenced",
                total("weighbridge_registry_referenced_bytes"),
                colours.BASE,
            ),
            Line(
                "Stored", total("weighbridge_registry_deduplicated_bytes"), colours.OWN
            ),
            Line("Shared", total("weighbridge_registry_shared_bytes"), colours.SHARED),
        ],
        Look(fields.BYTES, "nothing read yet"),
    )


def _by_registry(registries: Selection) -> Object:
    return chart(
        "Stored by registry",
        "What each registry holds, each blob counted once, stacked.",
        [
            Line(
                "{{registry}}",
                registries.latest("weighbridge_registry_deduplicated_bytes"),
            )
        ],
        Look(fields.BYTES, "nothing read yet"),
        stacked=True,
    )


def registry_label() -> Label:
    return Label("registry", "Registry", 160, links.of_a_registry_row())
