"""The types of what channels and routes are made of."""

from collections.abc import Callable
from typing import Annotated, Final

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from weighbridge.config.policies.policy_settings import NAME_CHARACTERS
from weighbridge.domain.message.grouping import GROUP_BY, GroupBy
from weighbridge.domain.policy.policy import Severity
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import parse_duration, written_duration
from weighbridge.errors import UsageError

DAY_S: Final = 24 * 3600


def _label_pattern(value: object) -> str:
    text = value if isinstance(value, str) else ""
    if not text or text != printable(text.strip()) or len(text) > NAME_CHARACTERS:
        raise PydanticCustomError(
            "bad_pattern",
            "must be 1 to {most} printable characters; * stands for any text",
            {"most": NAME_CHARACTERS},
        )
    return text


def _none(value: object) -> None:
    if value is not None:
        raise PydanticCustomError(
            "invalid_value", "must be null: proxies are not known to this version"
        )


def _one_or_more(value: object) -> object:
    """`critical` is `[critical]`; a list becomes what pydantic takes from Python."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _between(least_s: int, most_s: int) -> Callable[[object, ValidationInfo], int]:
    """A check: a duration within bounds, in seconds."""

    def check(value: object, info: ValidationInfo) -> int:
        if info.mode == "python" and type(value) is int:
            return value
        try:
            seconds = parse_duration(value) if isinstance(value, str) else -1
        except UsageError:
            seconds = -1
        if not least_s <= seconds <= most_s:
            raise PydanticCustomError(
                "invalid_interval",
                "must be a duration from {least} to {most}",
                {"least": written_duration(least_s), "most": written_duration(most_s)},
            )
        return seconds

    return check


LabelPattern = Annotated[str, PlainValidator(_label_pattern)]
NoProxy = Annotated[None, PlainValidator(_none)]
Severities = Annotated[
    tuple[Severity, ...], Field(max_length=3), BeforeValidator(_one_or_more)
]
GroupKeys = Annotated[tuple[GroupBy, ...], Field(max_length=len(GROUP_BY))]
GroupWait = Annotated[
    int, PlainValidator(_between(0, DAY_S)), PlainSerializer(written_duration)
]
GroupInterval = Annotated[
    int, PlainValidator(_between(1, 7 * DAY_S)), PlainSerializer(written_duration)
]
Repeat = Annotated[
    int, PlainValidator(_between(3600, 366 * DAY_S)), PlainSerializer(written_duration)
]
