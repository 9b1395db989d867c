"""Kinds of click's parts that say what a person may have meant."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from weighbridge.config import Settings


class SuggestingGroup(click.Group):
    """A group that knows the nearest of its commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        import difflib  # it is only needed where something is wrong

        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            known = self.list_commands(ctx)
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            advice = (
                f"did you mean {nearest[0]}?"
                if nearest
                else f"there are {', '.join(known)}"
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


def name_at(settings: "Settings", address: str) -> str:
    """The configured name of the registry at this address, else the address."""
    # Every command loads this module, its help too; few have settings.
    from weighbridge.bootstrap.kinds import KINDS
    from weighbridge.domain.registry.listing import main_url

    host = KINDS.hosts.get(address, address)
    urls = ((r.name, main_url(r.url, KINDS.hosts)) for r in settings.registries)
    return next((name for name, url in urls if url.endswith(f"//{host}")), address)
