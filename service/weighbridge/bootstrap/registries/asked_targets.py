"""What a program asks to be crawled: a configured registry, or a repository of one."""

from collections.abc import Callable

from weighbridge.bootstrap.registries.sites import Sites, configured_targets
from weighbridge.bootstrap.registries.targets import find_targets
from weighbridge.config import Settings
from weighbridge.engine.context.site import JobTarget
from weighbridge.errors import UsageError


def asked_targets(settings: Settings) -> Callable[[str], JobTarget]:
    """Finds what `name` or `name/repository` means. Addresses are not taken: nobody
    has us ask a strange host.

    It raises UsageError(registry_not_found, unknown_target, outside_filter).
    """
    sites = Sites.of(settings, configured_targets(settings)).sites

    def find(text: str) -> JobTarget:
        name = text.partition("/")[0]
        if name not in sites:
            known = ", ".join(sorted(sites)) or "none"
            raise UsageError(
                "no registry of this name is configured",
                code="registry_not_found",
                hint=f"configured: {known}",
            )
        (target,) = find_targets(settings, [text])
        asked = JobTarget(sites[name], target.only[0] if target.only else "")
        if asked.repository and not asked.site.scope.includes(asked.repository):
            raise UsageError(
                f"{asked.name} is left out by the configuration and is not crawled",
                code="outside_filter",
                hint=f"see `repositories` of the registry {name}",
            )
        return asked

    return find
