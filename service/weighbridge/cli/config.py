"""`weighbridge config ...`: is the configuration right, and what holds?"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import SuggestingGroup
from weighbridge.cli.process.streams import emit
from weighbridge.presentation.forms.phrases import plural

if TYPE_CHECKING:
    from weighbridge.config import Settings


@click.group(
    cls=SuggestingGroup,
    epilog="\b\nExample:\n  weighbridge config check --config weighbridge.yaml",
)
def command() -> None:
    """Check and show the configuration."""


@command.command(
    epilog="\b\nExample:\n  weighbridge config check --config weighbridge.yaml"
)
@common_options()
def check(options: Options) -> None:
    """Check the configuration: file, line, key and cause of every fault.

    Exits with 2 if there is any. Secret files are read; no registry is asked.
    """
    settings = options.settings(policy_files=True, ending="")

    from weighbridge.config import DEFAULT_FILES, find_config_file

    file = find_config_file(options.config, os.environ)
    if file is None:
        emit(f"there is no {' and no '.join(DEFAULT_FILES)}: the defaults hold")
        return
    counted = [plural(len(settings.registries), "registry", "registries")]
    if settings.policies or settings.policy_files:
        policies = options.policies().policies.policies
        counted.append(plural(len(policies), "policy", "policies"))
    emit(f"{file}: fine, {', '.join(counted)}")
    for line in _certificates(settings):
        emit(line)
    for line in _unwritten_kinds(settings):
        emit(line)

    from weighbridge.bootstrap.doctor.configuration import bases_not_asked_for

    for line in bases_not_asked_for(settings):
        emit(line)


def _certificates(settings: "Settings") -> Iterator[str]:
    """Until when they are valid, and what clients would refuse in them. Raises
    ConfigError(tls_files)."""
    web, metrics = settings.web, settings.metrics
    if web.tls is None and metrics.tls is None:
        return

    from datetime import UTC, datetime

    from weighbridge.web.server.certificate_files import read_served, warnings_of
    from weighbridge.web.server.tls import server_context

    for key, tls, url in (
        ("web.tls", web.tls, web.external_url),
        ("metrics.tls", metrics.tls, None),
    ):
        if tls is None:
            continue
        said = read_served(tls, server_context()).certificate
        yield f"{key}: its certificate is valid until {said.ends_at:%Y-%m-%d %H:%M} UTC"
        for text in warnings_of(said, tls.cert_file, url, datetime.now(UTC)):
            yield f"{key}: warning: {text}"


def _unwritten_kinds(settings: "Settings") -> Iterator[str]:
    """What is known of each registry whose kind is left to us, without asking it."""
    from weighbridge.bootstrap.kinds import KINDS
    from weighbridge.config.registries.registry_settings import AUTO

    for registry in settings.registries:
        if registry.kind != AUTO:
            continue
        kind = KINDS.kind_of_host(registry.host)
        if kind is None:
            yield (
                f"{registry.name}: its kind is found when it is asked:"
                f" weighbridge registry check {registry.name}"
            )
        else:
            yield f"{registry.name}: {kind}, as its host is known"


@command.command(
    epilog="\b\nExamples:\n  weighbridge config show\n  weighbridge config show -o json"
)
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    help="How it is printed.",
)
@common_options()
def show(options: Options, form: str) -> None:
    """Show every key with its value, and where the value is set.

    File and line, a variable, an option, or the default. Secrets are never shown.
    """
    from weighbridge.cli.actions import config_output

    tree = options.effective_settings()
    emit(config_output.as_json(tree) if form == "json" else config_output.as_yaml(tree))
