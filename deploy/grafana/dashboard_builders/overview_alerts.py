"""Which of our alerts fire, as Prometheus itself says."""

from typing import Final

from dashboard_builders import fields
from dashboard_builders.fields import Look
from dashboard_builders.layout import Section, Strip
from dashboard_builders.shapes import Object
from dashboard_builders.tables import Column, Label, table

_OURS: Final = 'alertname=~"Weighbridge.+"'
_LABELS: Final = ("alertname", "severity", "registry", "repository", "team")
_FIRING: Final = f'ALERTS{{{_OURS}, alertstate="firing"}}'
_ACTIVE_SINCE: Final = f"ALERTS_FOR_STATE{{{_OURS}}}"


def alerts() -> Section:
    return Section("Alerts", [Strip(6, [_table()])])


def _table() -> Object:
    """Not every alert is about a registry, or has the job of a scrape."""
    since = f"{_ACTIVE_SINCE} and ignoring (alertstate) {_FIRING}"
    return table(
        "Alerts that fire",
        "Those of this Prometheus whose names begin with Weighbridge, whatever else is"
        " chosen above. Each has a runbook in docs/runbooks/.",
        [
            Label("alertname", "Alert", 320),
            Label("severity", "Severity", 100),
            Label("registry", "Registry", 160),
            Label("repository", "Repository", 280),
            Label("team", "Team", 120),
        ],
        [
            Column(
                "True for",
                f"time() - min by ({', '.join(_LABELS)}) ({since})",
                Look(fields.SECONDS, decimals=0),
            )
        ],
        sort="True for",
        empty="None fires, if the rules in deploy/prometheus/ are loaded",
    )
