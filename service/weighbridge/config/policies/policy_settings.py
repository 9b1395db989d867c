"""The keys of policies, in `weighbridge.yaml` and in files of their own."""

import re
from typing import Annotated, Final

from pydantic import Field, PlainValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from weighbridge.config.value.value_types import (
    PATTERNS,
    RepositoryPattern,
    StrictModel,
    TagPattern,
    text_of,
)
from weighbridge.domain import limits
from weighbridge.domain.policy.policy import Limits, Match, Severity
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import parse_bytes, parse_percent
from weighbridge.errors import UsageError

NAME_CHARACTERS: Final = 63
PATH_CHARACTERS: Final = 1_024

_REGISTRY_PATTERN: Final = re.compile(r"[A-Za-z0-9._:*\[\]-]+", re.ASCII)


def _label(value: object) -> str:
    """A name that becomes a label of metrics and is shown on pages."""
    text = text_of(value)
    if not text or text != printable(text.strip()) or len(text) > NAME_CHARACTERS:
        raise PydanticCustomError(
            "invalid_name",
            "must be 1 to {most} printable characters, without a space at either end",
            {"most": NAME_CHARACTERS},
        )
    return text


def _team(value: object) -> str | None:
    return None if value is None else _label(value)


def _registry_pattern(value: object) -> str:
    text = text_of(value)
    is_longer = len(text) > limits.REPOSITORY_NAME_CHARACTERS
    if is_longer or not _REGISTRY_PATTERN.fullmatch(text):
        raise PydanticCustomError(
            "bad_pattern",
            "is no pattern: a registry's name, in which * stands for any text",
        )
    return text


def _most(value: object, info: ValidationInfo) -> int | None:
    """A limit: no image weighs nothing, so 0 would only ever be a slip."""
    amount = _bytes(value, info)
    if amount == 0:
        raise PydanticCustomError("invalid_bytes", "must be more than 0: 500MB")
    return amount


def _bytes(value: object, info: ValidationInfo) -> int | None:
    if value is None or (info.mode == "python" and type(value) is int):
        return value
    text = _written(value, "invalid_bytes", "500MB or 500MiB")
    try:
        return parse_bytes(text)
    except UsageError as exc:
        raise PydanticCustomError(
            "invalid_bytes", "is no number of bytes: {hint}", {"hint": exc.hint}
        ) from exc


def _layers(value: object) -> int | None:
    if value is None:
        return value
    if type(value) is not int or not 1 <= value <= limits.LAYERS:
        raise PydanticCustomError(
            "invalid_layers",
            "must be a number of layers, from 1 to {most}",
            {"most": limits.LAYERS},
        )
    return value


def _percent(value: object, info: ValidationInfo) -> float | None:
    if value is None or (info.mode == "python" and type(value) is float):
        return value
    text = _written(value, "invalid_percent", "25%")
    try:
        return parse_percent(text)
    except UsageError as exc:
        raise PydanticCustomError(
            "invalid_percent",
            "is no percentage of 0% or more: {hint}",
            {"hint": exc.hint},
        ) from exc


def _written(value: object, code: str, right: str) -> str:
    """Sizes and percentages are texts; YAML reads `500` and `0.25` as numbers."""
    if isinstance(value, str):
        return value
    words = "needs a unit: {right}" if _is_number(value) else "must be {right}, or null"
    raise PydanticCustomError(code, words, {"right": right})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _path_pattern(value: object) -> str:
    text = text_of(value)
    if not text or "\0" in text or len(text) > PATH_CHARACTERS:
        raise PydanticCustomError(
            "invalid_file", "must be the path of a file, with * for any part of a name"
        )
    return text


PolicyName = Annotated[str, PlainValidator(_label)]
Team = Annotated[str | None, PlainValidator(_team)]
RegistryPattern = Annotated[str, PlainValidator(_registry_pattern)]
Most = Annotated[int | None, PlainValidator(_most)]
Bytes = Annotated[int | None, PlainValidator(_bytes)]
Layers = Annotated[int | None, PlainValidator(_layers)]
Percent = Annotated[float | None, PlainValidator(_percent)]
PathPattern = Annotated[str, PlainValidator(_path_pattern)]


class MatchSettings(StrictModel):
    """Which images a policy is about; `*` matches across `/`."""

    registry: RegistryPattern = "*"
    repository: RepositoryPattern = "*"
    tag: TagPattern = "*"

    @property
    def match(self) -> Match:
        return Match(self.registry, self.repository, self.tag)


class PolicySettings(StrictModel):
    """One policy. A key that was not written is left to the next policy that
    matches; `null` says that there is no such limit."""

    name: PolicyName
    match: MatchSettings = MatchSettings()
    team: Team = None
    max_compressed: Most = None
    max_uncompressed: Most = None
    max_growth: Percent = None
    min_growth: Bytes = None
    max_layers: Layers = None
    max_layer_compressed: Most = None
    max_deduplicated: Most = None
    severity: Severity = "warning"

    @property
    def limits(self) -> Limits:
        return Limits(
            team=self.team,
            max_compressed_bytes=self.max_compressed,
            max_uncompressed_bytes=self.max_uncompressed,
            max_growth=self.max_growth,
            min_growth_bytes=self.min_growth,
            max_layers=self.max_layers,
            max_layer_compressed_bytes=self.max_layer_compressed,
            max_deduplicated_bytes=self.max_deduplicated,
            severity=self.severity,
        )


Policies = Annotated[tuple[PolicySettings, ...], Field(max_length=PATTERNS)]
PathPatterns = Annotated[tuple[PathPattern, ...], Field(max_length=PATTERNS)]


class PolicyFileSettings(StrictModel):
    """A file that `policy_files` names."""

    policies: Policies = ()


class PolicyKeys(StrictModel):
    """What `weighbridge.yaml` says of policies: the part that is read again."""

    policies: Policies = ()
    policy_files: PathPatterns = ()
