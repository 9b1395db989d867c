"""`weighbridge webhook ...`: what a registry has to be told to send its pushes here."""

from typing import TYPE_CHECKING, Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import SuggestingGroup
from weighbridge.cli.process.streams import emit

if TYPE_CHECKING:
    from weighbridge.config import Settings
    from weighbridge.config.webhook_settings import WebhookSettings

_PLACEHOLDER: Final = "SECRET"
_EXAMPLES: Final = """\b
Examples:
  weighbridge webhook url distribution
  weighbridge webhook url harbor --registry harbor --show-secret
"""


@click.group(cls=SuggestingGroup, epilog=_EXAMPLES)
def command() -> None:
    """Have registries send push events."""


@command.command(epilog=_EXAMPLES)
@click.argument("source")
@click.option("--registry", metavar="NAME", help="Where several have such a webhook.")
@click.option("--show-secret", is_flag=True, help="Print the secret too.")
@common_options(database=False)
def url(options: Options, source: str, registry: str | None, show_secret: bool) -> None:
    """Print what to paste into a sender.

    SOURCE is the source of one of the configured webhooks, such as distribution or
    harbor. The secret is left out, except where the address itself contains it.
    """
    settings = options.settings(ending="")

    from weighbridge.domain.webhook.sources.source_table import SOURCES

    webhook = _chosen(settings, source, registry)
    sender = SOURCES[webhook.source]
    has_secret = show_secret or sender.is_secret_in_address
    known = webhook.current_secrets()[0]
    secret = known.reveal() if has_secret else _PLACEHOLDER
    scheme = "http" if settings.web.tls is None else "https"
    base = settings.web.external_url or f"{scheme}://{settings.web.bind}"
    address = f"{base}/webhooks/{webhook.source}"
    if sender.is_secret_in_address:
        address += f"/{secret}"
    emit(sender.recipe.format(url=address, secret=secret).rstrip("\n"))
    notes = [*_of_address(settings)]
    if has_secret:
        notes.append("warning: this holds the secret: keep it out of chats and tickets")
    else:
        notes.append(f"note   {_PLACEHOLDER} stands for the secret")
    for note in notes:
        click.echo(note, err=True)


def _chosen(
    settings: "Settings", source: str, registry: str | None
) -> "WebhookSettings":
    from weighbridge.domain.text.printable import printable
    from weighbridge.domain.webhook.sources.source_table import SOURCE_NAMES
    from weighbridge.errors import UsageError

    if source not in SOURCE_NAMES:
        raise UsageError(
            f"{printable(source, 40)!r} is no source of webhooks",
            code="unknown_source",
            hint=f"there are  {', '.join(SOURCE_NAMES)}",
        )
    of_source = [w for w in settings.webhooks if w.source == source]
    found = [w for w in of_source if registry in (None, w.registry)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(webhook.registry for webhook in of_source)
    if found:
        raise UsageError(
            f"several webhooks of {source} are configured",
            code="ambiguous_webhook",
            hint=f"add --registry with one of  {names}",
        )
    place = f"of {source}" if registry is None else f"of {source} for {registry}"
    known = f"there is one for  {names}\n" if names else ""
    raise UsageError(
        f"no webhook {place} is configured",
        code="no_webhook",
        hint=f"{known}add to weighbridge.yaml:\nwebhooks:\n  - {{source: {source}, "
        f"registry: {registry or 'NAME'}, secret_file: FILE}}",
    )


def _of_address(settings: "Settings") -> list[str]:
    """What is to be known of an address that nobody has written down."""
    from weighbridge.config import is_loopback, split_bind

    if settings.web.external_url is not None:
        return []
    is_near = is_loopback(split_bind(settings.web.bind)[0])
    where = "is reached from this machine only" if is_near else "may have another name"
    return [f"note   {settings.web.bind} {where}: set web.external_url"]
