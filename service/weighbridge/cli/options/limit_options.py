"""Limits of the command line, and the policies of files that go behind them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import click

from weighbridge.errors import UsageError

if TYPE_CHECKING:
    from weighbridge.domain.policy.policy import Policy


class _Written(click.ParamType[float]):
    """A value as the configuration has it; its errors say what is right."""

    def __init__(self, name: str, parse: Callable[[str], float]) -> None:
        self.name = name
        self._parse = parse

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            return self._parse(str(value))
        except UsageError as exc:
            hint = f": {exc.hint}" if exc.hint else ""
            self.fail(f"{exc.message}{hint}", param, ctx)


def _most(text: str) -> int:
    from weighbridge.domain.text.units import parse_limit_bytes

    return parse_limit_bytes(text)


def _bytes(text: str) -> int:
    from weighbridge.domain.text.units import parse_bytes

    return parse_bytes(text)


def _share(text: str) -> float:
    from weighbridge.domain.text.units import parse_percent

    return parse_percent(text)


def _timeout(text: str) -> int:
    from weighbridge.domain.text.units import parse_duration

    seconds = parse_duration(text)
    if not seconds:
        raise UsageError("no time is no timeout", hint="write 90s, 5m or 1h")
    return seconds


MOST: Final = _Written("bytes", _most)
BYTES: Final = _Written("bytes", _bytes)
SHARE: Final = _Written("percent", _share)
TIMEOUT: Final = _Written("duration", _timeout)
TIMEOUT_HELP: Final = "How long all of it may take (5m)."


def own_limits(given: Mapping[str, float | None]) -> "Policy":
    """The limits of the options as a policy that matches everything. None: the option
    was not given."""
    from weighbridge.domain.policy.policy import (
        COMMAND_LINE,
        KEYS,
        KeyPlace,
        Limits,
        Policy,
    )

    def whole(key: str) -> int | None:
        value = given.get(key)
        return None if value is None else int(value)

    return Policy(
        COMMAND_LINE,
        limits=Limits(
            max_compressed_bytes=whole("max_compressed"),
            max_uncompressed_bytes=whole("max_uncompressed"),
            max_growth=given.get("max_growth"),
            min_growth_bytes=whole("min_growth"),
            max_layers=whole("max_layers"),
            max_layer_compressed_bytes=whole("max_layer_compressed"),
        ),
        places={key: KeyPlace() for key in KEYS if given.get(key) is not None},
    )
