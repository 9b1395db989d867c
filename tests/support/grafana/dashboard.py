"""A dashboard, as far as ours go, in the form that Grafana calls classic."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from support.grafana.panels import Panel, Row, Shown
from support.grafana.parts import Colour, Datasource, Part, Text


class Option(Part):
    selected: bool
    text: str | list[str]
    value: str | list[str]


class NothingChosen(Part):
    """What Grafana fills in with the first value that it finds."""


class DatasourceVariable(Part):
    name: Literal["datasource"]
    type: Literal["datasource"]
    label: Literal["Data source"]
    query: Literal["prometheus"]
    refresh: Literal[1]
    current: NothingChosen
    hide: Literal[0]


class LabelQuery(Part):
    query: Text
    refId: Text


class QueryVariable(Part):
    """Values of a label. refresh 2: asked again when the shown time changes"""

    name: Text
    type: Literal["query"]
    label: Text
    description: str = ""
    datasource: Datasource
    definition: Text
    query: LabelQuery
    refresh: Literal[2]
    sort: Literal[1]
    hide: Literal[0]
    multi: bool
    includeAll: bool
    allValue: Literal[".+"] | None = None
    current: Option | NothingChosen


class TextVariable(Part):
    name: Text
    type: Literal["textbox"]
    label: Text
    description: Text
    query: Text
    current: Option
    options: Annotated[list[Option], Field(min_length=1, max_length=1)]
    hide: Literal[0]


Variable: TypeAlias = Annotated[
    DatasourceVariable | QueryVariable | TextVariable, Field(discriminator="type")
]


class Link(Part):
    """At the top of a dashboard."""

    type: Literal["link"]
    title: Text
    url: Text
    icon: Literal["dashboard", "external link"]
    tooltip: str
    tags: Annotated[list[str], Field(max_length=0)]
    asDropdown: bool
    includeVars: bool
    keepTime: bool
    targetBlank: bool


class Annotation(Part):
    name: Text
    datasource: Datasource
    enable: bool
    iconColor: Colour
    expr: Text
    useValueForTime: bool
    step: Text
    titleFormat: Text


class Time(Part):
    from_: Annotated[str, Field(alias="from")]
    to: Literal["now"]


class Variables(Part):
    list: list[Variable]


class Annotations(Part):
    list: list[Annotation]


class Dashboard(Part):
    """uid: under it other pages link to the dashboard, so it never changes"""

    uid: Annotated[str, Field(pattern=r"^weighbridge-[a-z-]+$")]
    title: Text
    description: Text
    tags: list[Literal["weighbridge"]]
    schemaVersion: Literal[39]
    version: int
    editable: Literal[False]
    graphTooltip: Literal[1]
    timezone: Literal["browser"]
    time: Time
    refresh: Text
    timepicker: dict[str, None]
    links: list[Link]
    templating: Variables
    annotations: Annotations
    panels: list[Panel]

    @property
    def shown(self) -> list[Shown]:
        """The panels that ask something."""
        return [panel for panel in self.panels if not isinstance(panel, Row)]

    @property
    def variables(self) -> dict[str, Variable]:
        return {variable.name: variable for variable in self.templating.list}


def read_dashboard(content: bytes) -> Dashboard:
    return TypeAdapter(Dashboard).validate_json(content)


def read_dashboards(folder: Path) -> dict[str, Dashboard]:
    """All of a folder, by the names of their files."""
    return {
        path.stem: read_dashboard(path.read_bytes())
        for path in sorted(folder.glob("*.json"))
    }
