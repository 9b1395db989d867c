"""The first line of the overview: what asks for action, and how much there is."""

from dashboard_builders import colours, fields
from dashboard_builders.fields import Look
from dashboard_builders.inventory import Sizes
from dashboard_builders.layout import Section, Strip
from dashboard_builders.overview_registries import not_fresh
from dashboard_builders.panels import stat
from dashboard_builders.queries import Selection, count_or_zero


def at_a_glance(sizes: Sizes, registries: Selection, service: Selection) -> Section:
    """Six numbers; those that ask for action are 0 when all is well."""
    stored = registries.latest("weighbridge_registry_deduplicated_bytes")
    referenced = registries.latest("weighbridge_registry_referenced_bytes")
    omitted = service.latest("weighbridge_exporter_repositories_omitted")
    return Section(
        "Summary",
        [
            Strip(
                4,
                [
                    stat(
                        "Over a limit",
                        "Repositories whose newest image weighs more than policy"
                        " allows, compressed or on disk.",
                        count_or_zero(sizes.over_limit, sizes.any_limit),
                        Look(fields.COUNT, "no limits set", fields.ANY_IS_BAD),
                    ),
                    stat(
                        "Grown too much",
                        "Repositories whose newest image is above its baseline, the"
                        " median of the ten images before it, by more than policy"
                        " allows.",
                        f"sum ({sizes.has_grown_too_much})",
                        Look(fields.COUNT, "nothing to compare", fields.ANY_IS_BAD),
                    ),
                    stat(
                        "Stored",
                        "What the registries hold for all tags, each blob counted"
                        " once. Always over all repositories of the chosen"
                        " registries.",
                        f"sum ({stored})",
                        Look(fields.BYTES, "nothing read yet", calm=colours.OWN),
                        trend=True,
                    ),
                    stat(
                        "Saved by sharing",
                        "What is not stored because images share layers: the sum over"
                        " all tags, less what is stored.",
                        f"sum ({referenced}) - sum ({stored})",
                        Look(fields.BYTES, "nothing read yet", calm=colours.SHARED),
                        trend=True,
                    ),
                    stat(
                        "Registries down or stale",
                        "Registries that did not answer the last crawl, or whose data"
                        " are older than two and a half crawl intervals.",
                        not_fresh(registries),
                        Look(fields.COUNT, "no crawl yet", fields.ANY_IS_BAD),
                    ),
                    stat(
                        "Repositories not shown",
                        "Repositories that the series budget leaves out of this"
                        " dashboard. Totals of registries are over all of them.",
                        omitted,
                        Look(fields.COUNT, "no inventory", fields.ANY_IS_WORTH_A_LOOK),
                    ),
                ],
            )
        ],
    )
