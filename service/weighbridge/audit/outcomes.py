"""Gathers what the passes of one crawl came to."""

from dataclasses import dataclass, field
from typing import Final

from weighbridge.audit.crawl_report import CrawlFault
from weighbridge.audit.pass_outcome import PassOutcome
from weighbridge.domain.report import RepositoryState
from weighbridge.errors import WeighbridgeError
from weighbridge.store.crawls import Visited

UNREACHABLE_IN_A_ROW: Final = 3
"""So many repositories fail for want of a connection: the rest are not asked."""

_WORDS: Final = {
    "partial": "the crawl did not reach the end; what was not seen is unchanged",
    "missing": "the registry does not know this repository",
    "unauthorized": "the registry refuses these credentials",
    "unreachable": "the registry could not be reached",
    "error": "the registry's answer could not be used",
}


@dataclass(slots=True)
class Outcomes:
    """What the passes of one crawl came to."""

    registry: str
    repository_ids: list[int] = field(default_factory=list)
    complete: int = 0
    partial: int = 0
    failed: int = 0
    tags: int = 0
    taken_over: int = 0
    faults: list[CrawlFault] = field(default_factory=list)
    _silent_in_a_row: int = 0
    _has_doubts: bool = False
    _is_gone: bool = False

    @property
    def is_unreachable(self) -> bool:
        return self._is_gone or self._silent_in_a_row >= UNREACHABLE_IN_A_ROW

    @property
    def is_in_doubt(self) -> bool:
        """Whether a look ended without an answer, so that the registry may have gone
        since."""
        return self._has_doubts and not self.is_unreachable

    def note_gone(self) -> None:
        """The registry does not answer at all any more."""
        self._is_gone = True

    def add(self, repository_id: int, name: str, outcome: PassOutcome) -> None:
        """Count a pass that was made now."""
        result = outcome.result
        self.repository_ids.append(repository_id)
        self._count(result.state, result.tags_seen)
        is_silent = outcome.is_silent or result.state == "unreachable"
        self._silent_in_a_row = self._silent_in_a_row + 1 if is_silent else 0
        self._has_doubts = self._has_doubts or is_silent or outcome.in_doubt
        if result.state != "ok" and not outcome.faults:
            self._note(name, None, result.reason, _WORDS[result.state])
        for fault in outcome.faults:
            self._note(name, fault.tag, fault.code, fault.message)

    def take_over(self, visited: Visited) -> None:
        """Count a repository that was crawled before the crawl was cut off."""
        self.repository_ids.append(visited.repository_id)
        self.taken_over += 1
        self._count(visited.state, visited.tags)

    def leave(self, visited: Visited) -> None:
        """Count a repository that is left alone as long as the registry wants that."""
        self.repository_ids.append(visited.repository_id)
        self._count(visited.state, visited.tags)

    def fault(self, repository: str | None, exc: WeighbridgeError) -> None:
        """Note what made a look impossible."""
        self._note(repository, None, exc.code, exc.message, exc.hint)

    def note(self, code: str, message: str) -> None:
        """Note something about the whole registry."""
        self._note(None, None, code, message)

    def lost(self, name: str, exc: WeighbridgeError) -> None:
        """Count a repository that another process has."""
        self.partial += 1
        self.fault(name, exc)

    def _count(self, state: RepositoryState, tags: int) -> None:
        self.tags += tags
        if state == "ok":
            self.complete += 1
        elif state == "partial":
            self.partial += 1
        else:
            self.failed += 1

    def _note(
        self,
        repository: str | None,
        tag: str | None,
        code: str,
        message: str,
        hint: str = "",
    ) -> None:
        fault = CrawlFault(self.registry, repository, tag, code, message, hint)
        self.faults.append(fault)
