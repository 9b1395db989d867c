"""What the parts of a dashboard have in common, read strictly."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Colour: TypeAlias = Annotated[str, Field(pattern=r"^(#[0-9A-F]{6}|transparent)$")]
Text: TypeAlias = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """A key that Grafana's schema does not have here is an error, not a no-op."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Datasource(Part):
    type: Literal["prometheus"]
    uid: Literal["${datasource}"]


class DataLink(Part):
    """From a value to elsewhere."""

    title: Text
    url: Text
    targetBlank: bool = False


class Target(Part):
    """One query of a panel."""

    refId: Annotated[str, Field(pattern=r"^[A-Z]$")]
    datasource: Datasource
    editorMode: Literal["code"]
    expr: Text
    legendFormat: Text
    instant: bool
    range: bool
    format: Literal["table"] | None = None
