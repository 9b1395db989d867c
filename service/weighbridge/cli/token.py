"""`weighbridge token ...`: who may ask over HTTP."""

from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import SuggestingGroup
from weighbridge.cli.process.streams import emit

_CREATE: Final = """\b
Examples:
  weighbridge token create --role read
  weighbridge token create --role metrics --name prometheus --expires 90d
  weighbridge token create --role read --team shop --team web
  weighbridge token create --role admin > admin-token
"""
_ROTATE: Final = """\b
Examples:
  weighbridge token rotate prometheus > prometheus-token
  weighbridge token rotate grafana --overlap 1h --expires 90d
"""
_ACCEPT: Final = """\b
Examples:
  weighbridge token accept prometheus-token
  weighbridge token accept /run/weighbridge/tokens
"""
_LIST: Final = (
    "\b\nExamples:\n  weighbridge token list\n  weighbridge token list -o json"
)
_REVOKE: Final = """\b
Examples:
  weighbridge token revoke prometheus
  weighbridge token revoke 3
"""


@click.group(
    cls=SuggestingGroup, epilog="\b\nExample:\n  weighbridge token create --role read"
)
def command() -> None:
    """Make, renew, list and revoke tokens for pages, API and metrics."""


@command.command(epilog=_CREATE)
@click.option(
    "--role",
    metavar="ROLE",
    required=True,
    help="read, metrics, admin, or webhook:SOURCE.",
)
@click.option("--name", metavar="NAME", help="What it is called; ROLE-1 and so on.")
@click.option("--expires", metavar="DURATION", help="How long it is valid, as 90d.")
@click.option(
    "--team",
    "teams",
    metavar="TEAM",
    multiple=True,
    help="Show the repositories of this team alone; may be said again for another.",
)
@common_options(results=True, sizes=False)
def create(
    options: Options,
    role: str,
    name: str | None,
    expires: str | None,
    teams: tuple[str, ...],
) -> None:
    """Make a token and print it, this one time: only its SHA-256 is kept.

    Several tokens may be valid at once: make the new one, distribute it, then revoke
    the old one. A running service accepts a new token within seconds.
    """
    settings = options.settings()

    from weighbridge.cli.actions import tokens
    from weighbridge.domain.policy.policy import NO_POLICIES
    from weighbridge.domain.text.units import parse_duration

    expires_s = None if expires is None else parse_duration(expires)
    # Before the token is made: a file with a fault makes none.
    policies = options.policies().policies if teams else NO_POLICIES
    token, secret = tokens.create_token(
        settings, role, name=name, expires_s=expires_s, teams=teams
    )
    for warning in tokens.warnings_of(policies, teams):
        click.echo(f"warning: {warning}", err=True)
    click.echo(tokens.about(token), err=True)
    emit(tokens.created(token, secret, options.output))


@command.command(epilog=_ROTATE)
@click.argument("name", metavar="NAME|ID")
@click.option(
    "--overlap",
    metavar="DURATION",
    default="24h",
    show_default=True,
    help="How long the old one stays valid; 0s ends it at once.",
)
@click.option(
    "--expires",
    metavar="DURATION",
    help="How long the new one is valid; as long as the old one was made for.",
)
@common_options(results=True, sizes=False)
def rotate(options: Options, name: str, overlap: str, expires: str | None) -> None:
    """Renew a token: print a new one with its name, role and teams.

    The old one stays valid for a while beside it, so that it can be replaced without
    a gap wherever it is used.
    """
    settings = options.settings()

    from weighbridge.cli.actions import tokens
    from weighbridge.domain.text.units import parse_duration

    expires_s = None if expires is None else parse_duration(expires)
    token, secret = tokens.rotate_token(
        settings, name, overlap_s=parse_duration(overlap), expires_s=expires_s
    )
    click.echo(tokens.about(token), err=True)
    emit(tokens.created(token, secret, options.output))


@command.command(epilog=_ACCEPT)
@click.argument("paths", metavar="FILE|FOLDER...", nargs=-1, required=True)
@common_options()
def accept(options: Options, paths: tuple[str, ...]) -> None:
    """Accept tokens that were made elsewhere, such as those of a mounted secret.

    A token is called as its file is, and its prefix is its role: wbr_ read, wbm_
    metrics, wba_ admin. Another one of its name is revoked. What is accepted already
    stays as it is. Either all of them are accepted, or none.
    """
    settings = options.settings()

    from weighbridge.cli.actions import accepted_tokens

    emit(accepted_tokens.accepted(settings, paths))


@command.command("list", epilog=_LIST)
@common_options(results=True, sizes=False)
def list_(options: Options) -> None:
    """List all tokens, also those that are not valid any more.

    The tokens themselves are never shown again. When one was last used is kept
    to the minute.
    """
    settings = options.settings()

    from weighbridge.cli.actions import tokens

    emit(tokens.listed(settings, options.output, options.screen()))


@command.command(epilog=_REVOKE)
@click.argument("name", metavar="NAME|ID")
@common_options()
def revoke(options: Options, name: str) -> None:
    """End a token: running services refuse it within 5 seconds."""
    settings = options.settings()

    from weighbridge.cli.actions import tokens

    emit(tokens.revoked(settings, name))
