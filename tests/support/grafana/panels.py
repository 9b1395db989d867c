"""Panels, as far as our dashboards use them; only kinds that Grafana brings itself."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from support.grafana.fields import FieldConfig
from support.grafana.parts import Datasource, Part, Target, Text


class GridPos(Part):
    """A place on a grid of 24 columns."""

    x: Annotated[int, Field(ge=0, le=23)]
    y: Annotated[int, Field(ge=0)]
    w: Annotated[int, Field(ge=1, le=24)]
    h: Annotated[int, Field(ge=1)]

    @property
    def cells(self) -> set[tuple[int, int]]:
        return {
            (x, y)
            for x in range(self.x, self.x + self.w)
            for y in range(self.y, self.y + self.h)
        }


class Row(Part):
    id: int
    type: Literal["row"]
    title: Text
    collapsed: Literal[False]
    panels: Annotated[list[object], Field(max_length=0)]
    gridPos: GridPos


class Reduce(Part):
    calcs: list[Literal["lastNotNull"]]
    fields: Literal[""]
    values: Literal[False]


class StatOptions(Part):
    colorMode: Literal["value"]
    graphMode: Literal["area", "none"]
    justifyMode: Literal["auto"]
    orientation: Literal["auto"]
    reduceOptions: Reduce
    textMode: Literal["value", "name"]
    wideLayout: bool


class BarOptions(Part):
    displayMode: Literal["basic"]
    orientation: Literal["horizontal"]
    reduceOptions: Reduce
    showUnfilled: bool
    valueMode: Literal["text"]
    namePlacement: Literal["left"]
    sizing: Literal["manual"]
    minVizWidth: int
    minVizHeight: int
    maxVizHeight: int


class Legend(Part):
    displayMode: Literal["list"]
    placement: Literal["bottom"]
    showLegend: bool
    calcs: list[Literal["lastNotNull"]]


class Tooltip(Part):
    mode: Literal["multi"]
    sort: Literal["desc"]


class LineOptions(Part):
    legend: Legend
    tooltip: Tooltip


class SortBy(Part):
    displayName: Text
    desc: bool


class Footer(Part):
    show: bool
    reducer: list[Literal["sum"]]
    fields: Literal[""]


class TableOptions(Part):
    showHeader: bool
    cellHeight: Literal["sm"]
    sortBy: Annotated[list[SortBy], Field(min_length=1, max_length=1)]
    footer: Footer


class Order(Part):
    excludeByName: dict[str, bool]
    indexByName: dict[str, int]
    renameByName: dict[str, str]


class Merge(Part):
    id: Literal["merge"]
    options: dict[str, None]


class Organize(Part):
    id: Literal["organize"]
    options: Order


class Shown(Part):
    """What every panel but a row has."""

    id: int
    title: Text
    description: Annotated[str, Field(pattern=r"\.$")]
    gridPos: GridPos
    datasource: Datasource
    targets: Annotated[list[Target], Field(min_length=1)]
    fieldConfig: FieldConfig


class Stat(Shown):
    type: Literal["stat"]
    options: StatOptions


class Bars(Shown):
    type: Literal["bargauge"]
    options: BarOptions


class Chart(Shown):
    type: Literal["timeseries"]
    options: LineOptions


class Table(Shown):
    type: Literal["table"]
    options: TableOptions
    transformations: tuple[Merge, Organize] = Field(strict=False)


Panel: TypeAlias = Annotated[
    Row | Stat | Bars | Chart | Table, Field(discriminator="type")
]
