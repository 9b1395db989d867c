"""What a person names, as registries and repositories to look at."""

from collections.abc import Sequence
from dataclasses import dataclass

from weighbridge.config import RegistrySettings, Settings
from weighbridge.domain.reference import is_repository_name
from weighbridge.errors import UsageError
from weighbridge.registry.endpoint import registry_url


@dataclass(frozen=True, slots=True)
class Target:
    """One registry to look at, configured or given ad hoc.

    name:     as it is stored and shown
    url:      http(s)://host[:port]
    settings: None for an address that is not configured
    only:     these repositories, None for all
    """

    name: str
    url: str
    settings: RegistrySettings | None
    only: tuple[str, ...] | None = None


def find_targets(
    settings: Settings, texts: Sequence[str], *, plain_http: bool = False
) -> list[Target]:
    """What a person named: configured names, `name/repository`, or addresses; all
    that is configured where nothing is named. Several repositories of one registry
    become one target. Raises UsageError(unknown_target, nothing_configured)."""
    if not texts:
        if not settings.registries:
            raise UsageError(
                "no registry is configured and none was named",
                code="nothing_configured",
                hint="weighbridge crawl 127.0.0.1:5000, or add it to weighbridge.yaml",
            )
        return [Target(r.name, r.url, r) for r in settings.registries]
    found: dict[str, Target] = {}
    for text in texts:
        target = _parsed_target(settings, text, plain_http)
        found[target.name] = _joined(found.get(target.name), target)
    return list(found.values())


def _parsed_target(settings: Settings, text: str, plain_http: bool) -> Target:
    scheme, separator, rest = text.rpartition("://")
    host, _, repository = rest.partition("/")
    repository = repository.rstrip("/")
    if repository and not is_repository_name(repository):
        raise UsageError(
            f"{text!r} names no repository",
            code="unknown_target",
            hint="write name/repository, such as hub/library/python",
        )
    only = (repository,) if repository else None
    if not separator:
        target = target_of(settings, host, plain_http=plain_http)
    else:
        url = registry_url(f"{scheme}://{host}", plain_http=plain_http)
        target = Target(host, url, None)
    return Target(target.name, target.url, target.settings, only)


def target_of(settings: Settings, name: str, *, plain_http: bool) -> Target:
    configured = settings.find_registry(name)
    if configured is not None:
        return Target(configured.name, configured.url, configured)
    if "." not in name and ":" not in name and name != "localhost":
        known = ", ".join(sorted(settings.names)) or "none"
        raise UsageError(
            f"no registry is called {name!r}",
            code="unknown_target",
            hint=f"configured: {known}; an address has a port or a dot: localhost:5000",
        )
    return Target(name, registry_url(name, plain_http=plain_http), None)


def _joined(before: Target | None, target: Target) -> Target:
    if before is None or before.only is None:
        return before or target
    if target.only is None:
        return target
    only = tuple(dict.fromkeys((*before.only, *target.only)))
    return Target(before.name, before.url, before.settings, only)
