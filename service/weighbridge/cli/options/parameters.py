"""Kinds of click's parts that say what a person may have meant, and limits as they are
written.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

import click

from weighbridge.errors import UsageError

if TYPE_CHECKING:
    from weighbridge.config import Settings
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


def _age(text: str) -> int:
    from weighbridge.domain.text.units import parse_duration

    seconds = parse_duration(text)
    if not seconds:
        raise UsageError("no time is no limit", hint="write 90d or 12w")
    return seconds


class BasePattern(click.ParamType[str]):
    """A pattern of references of bases."""

    name = "pattern"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        from weighbridge.domain.policy.base_limits import parse_base_pattern

        found = parse_base_pattern(str(value))
        if found is None:
            self.fail(
                "it is no pattern of bases: write library/python:*-slim*", param, ctx
            )
        return found


class TagsKept(click.ParamType[str]):
    """A pattern of tags, as `reclaim.keep` of the configuration has it."""

    name = "pattern"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        from pydantic_core import PydanticCustomError

        from weighbridge.config.value.value_types import tag_pattern

        try:
            return tag_pattern(value)
        except PydanticCustomError as exc:
            self.fail(f"{value!r} {exc.message()}", param, ctx)


AGE: Final = _Written("duration", _age)
MOST: Final = _Written("bytes", _most)
BYTES: Final = _Written("bytes", _bytes)
SHARE: Final = _Written("percent", _share)
TIMEOUT: Final = _Written("duration", _timeout)
TIMEOUT_HELP: Final = "How long all of it may take (5m)."


def own_limits(given: "Mapping[str, float | tuple[str, ...] | None]") -> "Policy":
    """The limits of the options as a policy that matches everything. None, or nothing
    of an option that may be given several times: the option was not given."""
    from weighbridge.domain.policy.policy import (
        COMMAND_LINE,
        KEYS,
        KeyPlace,
        Limits,
        Policy,
    )

    def number(key: str) -> float | None:
        value = given.get(key)
        return None if isinstance(value, tuple) else value

    def whole(key: str) -> int | None:
        value = number(key)
        return None if value is None else int(value)

    bases = given.get("allowed_bases")

    return Policy(
        COMMAND_LINE,
        limits=Limits(
            max_compressed_bytes=whole("max_compressed"),
            max_uncompressed_bytes=whole("max_uncompressed"),
            max_growth=number("max_growth"),
            min_growth_bytes=whole("min_growth"),
            max_layers=whole("max_layers"),
            max_layer_compressed_bytes=whole("max_layer_compressed"),
            allowed_bases=bases if isinstance(bases, tuple) and bases else None,
            max_base_age_s=whole("max_base_age"),
            max_deduplicated_bytes=whole("max_deduplicated"),
        ),
        places={key: KeyPlace() for key in KEYS if given.get(key) not in (None, ())},
    )


class SuggestingGroup(click.Group):
    """A group that knows the nearest of its commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # It is only needed where something is wrong.
        from weighbridge.domain.text.nearest import nearest

        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            known = self.list_commands(ctx)
            near = nearest(name, known, 1)
            advice = (
                f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            )
            ctx.fail(f"no command is called {name!r}: {advice}")
        return super().resolve_command(ctx, args)


class Count(click.ParamType[int]):
    """A whole number within bounds, which its errors name."""

    name = "number"

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        try:
            number = int(str(value))
        except ValueError:
            number = self._least - 1
        if self._least <= number <= self._most:
            return number
        words = f"{value!r} is no number from {self._least} to {self._most}"
        self.fail(words, param, ctx)


Decorator: TypeAlias = Callable[[Callable[..., int | None]], Callable[..., int | None]]


def limit_options(growth: str) -> Decorator:
    """Give a command the limits of one image, for `own_limits`.

    growth: what growth is of
    """
    options = (
        click.option(
            "--max-compressed", type=MOST, metavar="SIZE", help="What a pull moves."
        ),
        click.option("--max-uncompressed", type=MOST, metavar="SIZE", help="On disk."),
        click.option("--max-growth", type=SHARE, metavar="PERCENT", help=growth),
        click.option(
            "--min-growth", type=BYTES, metavar="SIZE", help="Growth below it is fine."
        ),
        click.option("--max-layers", type=Count(1, 4_096), metavar="N", help="Layers."),
        click.option(
            "--max-layer-compressed", type=MOST, metavar="SIZE", help="Of each layer."
        ),
        click.option(
            "--allowed-bases",
            type=BasePattern(),
            multiple=True,
            metavar="PATTERN",
            help="A base to build on: python:*-slim*; * is any text.",
        ),
        click.option(
            "--max-base-age",
            type=AGE,
            metavar="DURATION",
            help="Since its base was replaced by another build: 90d.",
        ),
    )

    def with_limits(command: Callable[..., int | None]) -> Callable[..., int | None]:
        for option in reversed(options):
            command = option(command)
        return command

    return with_limits


def name_at(settings: "Settings", address: str) -> str:
    """The configured name of the registry at this address, else the address."""
    # Every command loads this module, its help too; few have settings.
    from weighbridge.bootstrap.kinds import KINDS
    from weighbridge.domain.registry.listing import main_url

    host = KINDS.hosts.get(address, address)
    urls = ((r.name, main_url(r.url, KINDS.hosts)) for r in settings.registries)
    return next((name for name, url in urls if url.endswith(f"//{host}")), address)
