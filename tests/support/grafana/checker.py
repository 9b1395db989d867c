"""What can be wrong with a dashboard beside the form of its parts."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Final

from support.grafana.colours import contrast_complaints
from support.grafana.dashboard import Dashboard, QueryVariable
from support.grafana.panels import Shown, Table
from support.grafana.promql import complaints_about
from support.metric_catalogue import Metric

_NAMED: Final = re.compile(r"\$(?:\{([\w.]+)(?::\w+)?\}|([A-Za-z_]\w*))")
_GIVEN: Final = frozenset({"__all", "__rate_interval", "__range", "__url_time_range"})
_OF_THE_VALUE: Final = ("__data.fields.", "__field.labels.")
_DASHBOARD: Final = re.compile(r"^/d/([\w-]+)")
_VALUES: Final = re.compile(r"label_values\((.+), (\w+)\)")


def complaints(
    dashboard: Dashboard, catalogue: Mapping[str, Metric], uids: Collection[str]
) -> list[str]:
    """What is wrong, [] for nothing. uids: of the dashboards that links may lead to"""
    return [
        *_about_identity(dashboard),
        *_about_places(dashboard),
        *_about_queries(dashboard, catalogue),
        *_about_variables(dashboard, catalogue),
        *_about_links(dashboard, uids),
        *contrast_complaints(dashboard.model_dump_json()),
    ]


def _about_identity(dashboard: Dashboard) -> Iterator[str]:
    ids = Counter(panel.id for panel in dashboard.panels)
    yield from (f"id {number} twice" for number, times in ids.items() if times > 1)
    titles = Counter(panel.title for panel in dashboard.panels)
    yield from (f"title {title!r} twice" for title, n in titles.items() if n > 1)
    names = Counter(variable.name for variable in dashboard.templating.list)
    yield from (f"variable {name} twice" for name, times in names.items() if times > 1)
    if "datasource" not in dashboard.variables:
        yield "the data source cannot be chosen"


def _about_places(dashboard: Dashboard) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard.panels:
        place = panel.gridPos
        if place.x + place.w > 24:
            yield f"{panel.title!r} goes past column 24"
        for other in {taken[cell] for cell in place.cells if cell in taken}:
            yield f"{panel.title!r} lies over {other!r}"
        taken |= dict.fromkeys(place.cells, panel.title)
    tops = [(panel.gridPos.y, panel.gridPos.x) for panel in dashboard.panels]
    if any(earlier >= later for earlier, later in pairwise(tops)):
        yield "the panels are not in the order in which they are read"


def _about_queries(
    dashboard: Dashboard, catalogue: Mapping[str, Metric]
) -> Iterator[str]:
    for panel in dashboard.shown:
        letters = [target.refId for target in panel.targets]
        if len(set(letters)) < len(letters):
            yield f"{panel.title!r}: two queries of one letter"
        for target in panel.targets:
            if target.instant == target.range:
                yield f"{panel.title!r}: a query is for one moment or for a time"
            for complaint in complaints_about(target.expr, catalogue):
                yield f"{panel.title!r}: {complaint}"
        yield from _about_names(panel)
    for annotation in dashboard.annotations.list:
        for complaint in complaints_about(annotation.expr, catalogue):
            yield f"{annotation.name!r}: {complaint}"


def _about_names(panel: Shown) -> Iterator[str]:
    """An override that finds nothing is shown by Grafana as if it were not there."""
    overridden = {o.matcher.options for o in panel.fieldConfig.overrides}
    if not isinstance(panel, Table):
        lines = {target.legendFormat for target in panel.targets}
        for name in sorted(overridden - lines):
            yield f"{panel.title!r}: no line is called {name!r}"
        return
    order = panel.transformations[1].options
    columns = set(order.renameByName.values())
    for name in sorted(overridden ^ columns):
        yield f"{panel.title!r}: column {name!r} has no look, or the look no column"
    if panel.options.sortBy[0].displayName not in columns:
        yield f"{panel.title!r} is sorted by a column that it does not have"
    if any(target.format != "table" for target in panel.targets):
        yield f"{panel.title!r}: a table of a query that gives lines"
    known = {*order.renameByName, *order.excludeByName}
    for target in panel.targets:
        field = f"Value #{target.refId}" if len(panel.targets) > 1 else "Value"
        if field not in known:
            yield f"{panel.title!r}: {field!r} is neither named nor hidden"


def _about_variables(
    dashboard: Dashboard, catalogue: Mapping[str, Metric]
) -> Iterator[str]:
    text = dashboard.model_dump_json()
    for found in _NAMED.finditer(text):
        name = found[1] or found[2]
        if name in dashboard.variables or name in _GIVEN:
            continue
        if not name.startswith(_OF_THE_VALUE):
            yield f"no variable {name}"
    for variable in dashboard.templating.list:
        if not isinstance(variable, QueryVariable):
            continue
        asked = _VALUES.fullmatch(variable.query.query)
        if asked is None or variable.definition != variable.query.query:
            yield f"variable {variable.name} does not ask for the values of a label"
            continue
        names = set(re.findall(r"weighbridge_\w+", asked[1]))
        labels = [catalogue[n].labels | {"job"} for n in names if n in catalogue]
        if len(labels) < len(names) or not all(asked[2] in known for known in labels):
            yield f"variable {variable.name} asks for what is not there"


def _about_links(dashboard: Dashboard, uids: Collection[str]) -> Iterator[str]:
    for url in re.findall(r'"url":"([^"]*)"', dashboard.model_dump_json()):
        inside = _DASHBOARD.match(url)
        if inside is not None and inside[1] not in uids:
            yield f"no dashboard {inside[1]}"
        if inside is None and not url.startswith("${external_url}/"):
            yield f"a link to {url}"
