"""What a message asks for, checked against what is configured.

Whoever can write to Redis can send any message. So it carries names only, and what is
not configured here is dropped: no message makes a worker ask a strange host.
"""

from dataclasses import dataclass

from weighbridge.audit.scope import Scope
from weighbridge.bootstrap.crawling import scope_of
from weighbridge.bootstrap.targets import Target
from weighbridge.config import RegistrySettings, Settings
from weighbridge.domain.reference import is_repository_name
from weighbridge.errors import JobDropped


@dataclass(frozen=True, slots=True)
class Asked:
    """A configured registry, and one of its repositories where a job is about one.

    repository: "" for the whole registry
    """

    registry: RegistrySettings
    repository: str
    scope: Scope

    @property
    def target(self) -> Target:
        """The registry as other use cases take it."""
        return Target(self.registry.name, self.registry.url, self.registry)


def asked_registry(settings: Settings, argument: str) -> Asked:
    """`name`. Raises JobDropped(unknown_registry)."""
    registry = settings.find_registry(argument)
    if registry is None:
        raise JobDropped(
            "a message names a registry that is not configured here",
            code="unknown_registry",
        )
    return Asked(registry, "", scope_of(Target(registry.name, registry.url, registry)))


def asked_repository(settings: Settings, argument: str) -> Asked:
    """`name/repository`. Raises JobDropped(unknown_registry, outside_filter)."""
    name, _, repository = argument.partition("/")
    asked = asked_registry(settings, name)
    if not is_repository_name(repository) or not asked.scope.looks_at(repository):
        raise JobDropped(
            "a message names a repository that is not to be crawled",
            code="outside_filter",
        )
    return Asked(asked.registry, repository, asked.scope)
