"""`weighbridge policy ...`: which limits hold, and what others would flag."""

from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import (
    MOST,
    SuggestingGroup,
    limit_options,
    own_limits,
)
from weighbridge.cli.process.streams import emit

_EXAMPLES = """\b
Examples:
  weighbridge policy explain harbor/shop/api
  weighbridge policy explain harbor/shop/api:1.4-dev -o json
"""


_SIMULATE: Final = """\b
Examples:
  weighbridge policy simulate --max-compressed 500MB
  weighbridge policy simulate --max-growth 25% --min-growth 50MB --repository 'shop/*'
"""


@click.group(cls=SuggestingGroup, epilog=_EXAMPLES)
def command() -> None:
    """Explain and simulate policies."""


@command.command(epilog=_EXAMPLES)
@click.argument("ref")
@common_options(database=False, results=True)
def explain(options: Options, ref: str) -> None:
    """Show which policy decides each key for an image.

    REF is registry/repository[:tag]; the tag is latest where none is written. Policies
    are tried in their order, those of weighbridge.yaml first, then those of
    policy_files by path; the first that sets a key applies. Only the configuration is
    read: the image need not exist.
    """
    settings = options.settings(policy_files=True, ending="")
    policies = options.policies().policies

    from weighbridge.bootstrap.registries.targets import refuse_several
    from weighbridge.cli.actions.policies import explained
    from weighbridge.cli.options.parameters import name_at
    from weighbridge.domain.image.reference import parse_reference

    reference = parse_reference(ref, settings.names | settings.entries)
    refuse_several(settings, reference.registry)
    registry = name_at(settings, reference.registry)
    decided = policies.explain(registry, reference.repository, reference.tag or "")
    name = f"{registry}/{reference.repository}"
    if reference.tag is not None:
        name += f":{reference.tag}"
    screen = options.screen()
    emit(explained(name, decided, options.output, screen))


@command.command("simulate", epilog=_SIMULATE)
@limit_options(growth="Over the baseline: 25%.")
@click.option(
    "--max-deduplicated", type=MOST, metavar="SIZE", help="Of a whole repository."
)
@click.option("--registry", metavar="NAME", help="In this registry only.")
@click.option(
    "--repository",
    "pattern",
    metavar="PATTERN",
    default="*",
    help="Of these repositories only; * stands for any text.",
)
@common_options(results=True)
def simulate(
    options: Options,
    /,
    registry: str | None,
    pattern: str,
    **given: float | tuple[str, ...] | None,
) -> None:
    """Show what limits would flag, before they are set.

    The newest image of every repository, as of its last crawl, is compared with them.
    Nothing is stored, no notification is sent, no registry is asked; the policies
    that are in force do not matter.
    """
    if all(given[key] in (None, ()) for key in given if key != "min_growth"):
        raise click.UsageError(
            "give at least one limit, such as --max-compressed 500MB"
        )
    settings = options.settings()

    from weighbridge.cli.actions import policies

    simulation = policies.simulate_on_all(
        settings, own_limits(given).limits, registry=registry, pattern=pattern
    )
    emit(policies.tried(simulation, options.output, options.screen()))
