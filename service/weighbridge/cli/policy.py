"""`weighbridge policy explain`: which limits hold for an image, and who says so."""

from typing import TYPE_CHECKING, Final

import click

from weighbridge.cli.commands import Group
from weighbridge.cli.options import Options, common_options
from weighbridge.cli.streams import emit

if TYPE_CHECKING:
    from weighbridge.config import Settings

_EXAMPLES = """\b
Examples:
  weighbridge policy explain harbor/shop/api
  weighbridge policy explain harbor/shop/api:1.4-dev -o json
"""


_HOSTS: Final = {"docker.io": "registry-1.docker.io"}
"""Of registries that people call by another name."""


@click.group(cls=Group, epilog=_EXAMPLES)
def command() -> None:
    """Look at policies."""


@command.command(epilog=_EXAMPLES)
@click.argument("ref")
@common_options(database=False, results=True)
def explain(options: Options, ref: str) -> int:
    """Show which policy decides each key for an image.

    REF is registry/repository[:tag]; the tag is latest where none is written. Policies
    are tried in their order, those of weighbridge.yaml first, then those of
    policy_files by path; the first that sets a key wins. Only the configuration is
    read: the image need not exist.
    """
    settings = options.settings(policy_files=True, ending="")
    policies = options.policies().policies

    from weighbridge.cli import policy_output
    from weighbridge.domain.reference import parse_reference

    reference = parse_reference(ref, settings.names)
    registry = _name_at(settings, reference.registry)
    decided = policies.explain(registry, reference.repository, reference.tag or "")
    name = f"{registry}/{reference.repository}"
    if reference.tag is not None:
        name += f":{reference.tag}"
    screen = options.screen()
    emit(policy_output.explained(name, decided, options.output, screen))
    return 0


def _name_at(settings: "Settings", address: str) -> str:
    """The configured name of the registry at this address, else the address."""
    host = _HOSTS.get(address, address)
    names = (r.name for r in settings.registries if r.url.endswith(f"//{host}"))
    return next(names, address)
