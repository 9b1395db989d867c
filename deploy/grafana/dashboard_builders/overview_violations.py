"""Who exceeds a limit of policy, and since when there are more of them."""

from typing import Final

from dashboard_builders import fields, links
from dashboard_builders.fields import Look
from dashboard_builders.layout import Section, Strip
from dashboard_builders.lines import Line, chart
from dashboard_builders.queries import Selection
from dashboard_builders.shapes import Object
from dashboard_builders.tables import Column, Label, table

_OPEN: Final = "weighbridge_repository_policy_violations"
_BY_POLICY: Final = "weighbridge_policy_violating_repositories"


def violations(repositories: Selection, service: Selection) -> Section:
    return Section(
        "Violations of policies",
        [
            Strip(8, [_repositories(repositories), _policies(service)]),
            Strip(7, [_over_time(repositories)]),
        ],
    )


def _repositories(repositories: Selection) -> Object:
    return table(
        "Repositories with violations",
        "Limits that an image of the repository exceeds and that are not waived. A"
        " row leads to the line that is heavy.",
        [
            Label("registry", "Registry", 140),
            Label("repository", "Repository", 300, links.of_a_row()),
            Label("severity", "Severity", 100),
        ],
        [
            Column(
                "Open",
                _each(repositories),
                Look(fields.COUNT, steps=fields.ANY_IS_BAD),
                "color-background",
            )
        ],
        sort="Open",
        empty="No violation is open",
    )


def _policies(service: Selection) -> Object:
    return table(
        "Policies that are violated",
        "How many repositories exceed a limit of each policy, over all registries and"
        " repositories, whatever is chosen above.",
        [Label("policy", "Policy", 240), Label("severity", "Severity", 100)],
        [
            Column(
                "Violated by",
                f"max by (policy, severity) ({service.of(_BY_POLICY)})",
                Look(fields.COUNT, steps=fields.ANY_IS_BAD),
                "color-background",
            )
        ],
        sort="Violated by",
        empty="No policy is violated",
    )


def _over_time(repositories: Selection) -> Object:
    by_severity = f"sum by (severity) ({_each(repositories)})"
    return chart(
        "Open violations",
        "All of them by severity. Those that are waived are left out.",
        [Line("{{severity}}", by_severity)],
        Look(fields.COUNT, "none is open", decimals=0),
    )


def _each(repositories: Selection) -> str:
    return f"max by (registry, repository, severity) ({repositories.of(_OPEN)})"
