"""How values look, as far as our dashboards say it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from support.grafana.parts import Colour, DataLink, Part, Text

UNITS = frozenset(
    {"Bps", "cps", "decbytes", "none", "percentunit", "reqps", "s", "short"}
)
"""Those that we use, of the units that Grafana knows: `@grafana/data`, valueFormats."""


class Step(Part):
    color: Colour
    value: float | None


class Thresholds(Part):
    mode: Literal["absolute"]
    steps: list[Step]

    @model_validator(mode="after")
    def _rise(self) -> "Thresholds":
        first, *rest = [step.value for step in self.steps]
        values = [value for value in rest if value is not None]
        if first is not None or len(values) < len(rest) or values != sorted(values):
            raise ValueError("the first step has no value, the others rise")
        return self


class Word(Part):
    text: Text
    color: Colour
    index: int


class Words(Part):
    type: Literal["value"]
    options: dict[Annotated[str, Field(pattern=r"^\d+$")], Word]


class Color(Part):
    mode: Literal["thresholds", "palette-classic", "fixed"]
    fixedColor: Colour | None = None


class Stacking(Part):
    mode: Literal["normal", "none"]
    group: Text


class LineStyle(Part):
    fill: Literal["dash"]
    dash: list[int]


class ThresholdsStyle(Part):
    mode: Literal["off"]


class LineShape(Part):
    """`custom` of a time series."""

    drawStyle: Literal["line"]
    lineInterpolation: Literal["linear", "stepAfter"]
    lineWidth: int
    fillOpacity: int
    showPoints: Literal["auto"]
    pointSize: int
    spanNulls: bool
    axisPlacement: Literal["auto"]
    stacking: Stacking
    thresholdsStyle: ThresholdsStyle


class Cell(Part):
    type: Literal["auto", "color-background", "gauge"]
    mode: Literal["basic"] | None = None
    valueDisplayMode: Literal["text"] | None = None


class CellShape(Part):
    """`custom` of a table."""

    align: Literal["auto"]
    cellOptions: Cell


class Defaults(Part):
    unit: Annotated[str, Field(pattern=f"^({'|'.join(sorted(UNITS))})$")]
    noValue: Text
    color: Color | None = None
    thresholds: Thresholds | None = None
    mappings: tuple[Words, ...] = ()
    decimals: int | None = None
    min: int | None = None
    links: tuple[DataLink, ...] = ()
    custom: LineShape | CellShape | None = None


class Overridden(Part):
    """One property, under the path that it has in `Defaults`."""

    id: Literal[
        "color",
        "custom.align",
        "custom.cellOptions",
        "custom.fillOpacity",
        "custom.lineStyle",
        "custom.stacking",
        "custom.width",
        "decimals",
        "links",
        "mappings",
        "min",
        "noValue",
        "thresholds",
        "unit",
    ]
    value: (
        int
        | str
        | Color
        | Cell
        | LineStyle
        | Stacking
        | Thresholds
        | list[Words]
        | list[DataLink]
    )


class Matcher(Part):
    id: Literal["byName"]
    options: Text


class Override(Part):
    matcher: Matcher
    properties: list[Overridden]


class FieldConfig(Part):
    defaults: Defaults
    overrides: list[Override]
