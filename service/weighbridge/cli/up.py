"""`weighbridge up`: serve, schedule and crawl in one process."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import click

from weighbridge.cli.options.common import Options, common_options

if TYPE_CHECKING:
    from weighbridge.config import Settings
    from weighbridge.domain.text.printable import Secret

_EXAMPLES: Final = """\b
Examples:
  weighbridge up --demo
  weighbridge up --config weighbridge.yaml --bind 127.0.0.1:9000
"""


@click.command(epilog=_EXAMPLES)
@click.option("--demo", is_flag=True, help="Crawl a small registry inside it.")
@click.option("--bind", metavar="HOST:PORT", help="Where to serve.")
@common_options()
def command(options: Options, demo: bool, bind: str | None) -> None:
    """Serve, schedule and crawl in one process.

    Pages, API and metrics are served until SIGINT or SIGTERM; every configured
    registry is crawled at its interval. Policies are read again at SIGHUP, and when one
    of their files changes. With --demo a registry of examples is crawled in place of
    the configured ones, and kept only with --database.
    """
    settings = options.settings(bind=bind, policy_files=True)
    policies = options.policies()

    from weighbridge.web.server.free_address import check_listeners

    check_listeners(settings)
    database = settings.database_url if options.database else None

    if demo:
        from weighbridge.cli.up_demo import up_demo

        lines = demo_announcement(database)
        up_demo(settings, policies, database, lambda: _say(lines))
    else:
        from weighbridge.cli.process.log_lines import configure_log
        from weighbridge.service_manager import ServiceManager
        from weighbridge.web.server import running

        configure_log(settings)
        manager = ServiceManager(os.environ)
        running.up(settings, policies, lambda: _say(announcement(settings)), manager)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line, err=True)


def announcement(settings: "Settings") -> list[str]:
    """Where it keeps results, what it crawls: one line each, once the database is
    open. Where it serves is said when it does."""
    from weighbridge.config import shown_url
    from weighbridge.domain.text.units import format_duration

    lines = [f"keeps   {shown_url(settings.database_url)}"]
    for registry in settings.registries:
        every = format_duration(settings.interval_of(registry))
        lines.append(f"crawls  {registry.name}  {registry.url}  every {every}")
        if registry.plain_http and not registry.is_loopback:
            lines.append(f"warning: {registry.name} is reached without encryption")
    if not settings.registries:
        lines.append(
            "crawls  nothing: add registries to weighbridge.yaml, or try --demo"
        )
    return lines


def demo_announcement(database: "Secret | None") -> list[str]:
    """The same for the demo."""
    from weighbridge.config import shown_url

    place = shown_url(database) if database else "nothing after it stops"
    return [
        f"keeps   {place}",
        "crawls  a demo registry inside this process: its images are examples",
    ]
