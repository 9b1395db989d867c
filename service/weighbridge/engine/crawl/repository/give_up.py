"""When a crawl has heard enough, and does not ask for the other tags any more."""

from typing import Final

from weighbridge.engine.tags.tag_request import TagAnswer
from weighbridge.errors import RateLimited, RegistryError, TransportError

SILENT_IN_A_ROW: Final = 5
"""So many tags in a row bring no answer, each after all its attempts: the others are
not asked in this crawl. A deadline for each of a thousand tags would be a day."""
REFUSED_IN_A_ROW: Final = 5
"""So many tags in a row are refused for having asked too much, each after all its
attempts: to ask for the others would be more of the same."""


class Patience:
    """What the answers of one crawl come to.

    sent_away:   why nothing is to be asked any more, or None
    is_in_doubt: whether any tag brought no answer
    """

    def __init__(self) -> None:
        self.sent_away: RegistryError | None = None
        self.is_in_doubt = False
        self._silent = 0
        self._refused = 0

    def add(self, answer: TagAnswer) -> None:
        """Raises TransportError once the registry has fallen silent."""
        is_refused = answer.unanswered == RateLimited.code
        self._refused = self._refused + 1 if is_refused else 0
        if self._refused >= REFUSED_IN_A_ROW:
            self.sent_away = RateLimited(
                f"{REFUSED_IN_A_ROW} tags in a row were refused: too much was asked",
                hint="the next crawl continues from here",
            )
        self._silent = self._silent + 1 if answer.is_silent else 0
        self.is_in_doubt |= answer.is_silent
        if self._silent >= SILENT_IN_A_ROW:
            raise TransportError(
                f"{SILENT_IN_A_ROW} tags in a row got no answer",
                code=answer.unanswered,
            )
