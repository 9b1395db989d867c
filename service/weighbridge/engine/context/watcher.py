"""Who is told of what the jobs of one process do, as it is done."""

import structlog

from weighbridge.domain.report.inventory import RegistryState
from weighbridge.engine.context.crawl_context import CrawlOutcome
from weighbridge.errors import StaleFence, WeighbridgeError


class Watcher:
    """Nobody, as it stands."""

    def listed(
        self, registry: str, state: RegistryState, reason: str, repositories: int
    ) -> None:
        """A registry's repositories are known, so many of them."""

    def held(self, registry: str, removals: int) -> None:
        """So many repositories are not removed before another crawl agrees."""

    def crawled(self, registry: str, repository: str, outcome: CrawlOutcome) -> None:
        """A repository was crawled."""

    def failed(
        self, registry: str, repository: str | None, error: WeighbridgeError
    ) -> None:
        """A registry, or one repository, could not be crawled."""

    def measured(self, registry: str, left: int) -> None:
        """Layers were measured; so many could not be."""

    def asked(self, registry: str, requests: int, bytes_read: int) -> None:
        """A registry was asked so much more."""

    def requests_handled(self) -> None:
        """The requests were handled."""


class LogWatcher(Watcher):
    """Writes it into the log of a process that serves or works."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("weighbridge.crawl")

    def listed(
        self, registry: str, state: RegistryState, reason: str, repositories: int
    ) -> None:
        if state == "ok":  # Else `failed` has told more.
            self._log.info(
                "registry listed", registry=registry, repositories=repositories
            )

    def held(self, registry: str, removals: int) -> None:
        if removals:
            self._log.warning("removals held", registry=registry, removals=removals)

    def failed(
        self, registry: str, repository: str | None, error: WeighbridgeError
    ) -> None:
        if isinstance(error, StaleFence):
            return  # Whoever has taken it over goes on with it.
        if repository is None:
            self._log.warning(
                "the registry could not be read to its end; what was known is kept",
                registry=registry,
                code=error.code,
                why=error.message,
            )
        else:
            self._log.error(
                "a repository could not be crawled",
                registry=registry,
                repository=repository,
                code=error.code,
                why=error.message,
            )
