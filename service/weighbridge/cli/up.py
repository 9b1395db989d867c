"""`weighbridge up`: serve, schedule and crawl in one process."""

import re
from typing import TYPE_CHECKING, Final

import click

from weighbridge.cli.options import Options, common_options

if TYPE_CHECKING:
    from weighbridge.config import Settings

_EXAMPLES = """\b
Examples:
  weighbridge up --demo
  weighbridge up --config weighbridge.yaml --bind 127.0.0.1:9000
"""
_USERINFO: Final = re.compile(r"//[^/]*@")


@click.command(epilog=_EXAMPLES)
@click.option("--demo", is_flag=True, help="Crawl a small registry inside it.")
@click.option("--bind", metavar="HOST:PORT", help="Where to serve.")
@common_options
def command(options: Options, demo: bool, bind: str | None) -> int:
    """Serve, schedule and crawl in one process.

    Pages, API and metrics are served until SIGINT or SIGTERM; every configured
    registry is crawled at its interval.
    """
    settings = options.settings(bind=bind)
    for line in announcement(settings, is_demo=demo):
        click.echo(line, err=True)

    from weighbridge import bootstrap

    bootstrap.up(settings, demo=demo, bind=bind)
    return 0


def announcement(settings: "Settings", *, is_demo: bool) -> list[str]:
    """Where it serves, where it keeps results, what it crawls: one line each."""
    from weighbridge.domain.units import format_duration

    place = _USERINFO.sub("//", settings.database_url.reveal()).partition("?")[0]
    lines = [f"serves  http://{settings.web.bind}", f"keeps   {place}"]
    if is_demo:
        lines.append("crawls  a demo registry in this process; its images are examples")
    for registry in settings.registries:
        every = format_duration(settings.interval_of(registry))
        lines.append(f"crawls  {registry.name}  {registry.url}  every {every}")
        if registry.plain_http and not registry.is_loopback:
            lines.append(f"warning: {registry.name} is reached without encryption")
    if not is_demo and not settings.registries:
        lines.append(
            "crawls  nothing: add registries to weighbridge.yaml, or try --demo"
        )
    return lines
