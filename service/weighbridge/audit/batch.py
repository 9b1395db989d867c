"""What one transaction keeps of the answers about some tags."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weighbridge.audit.reading import Reading
from weighbridge.audit.tag_look import TagAnswer
from weighbridge.domain.digest import Digest
from weighbridge.domain.document import Document


@dataclass(frozen=True, slots=True)
class Batch:
    """Answers that say something, and the names of tags that need not be asked again
    beside them."""

    answers: Sequence[TagAnswer]
    names: Sequence[str] = ()

    def documents(self) -> list[Document]:
        """All that the answers lead to and that the store does not have, once each."""
        found: dict[Digest, Document] = {}
        for reading in self.readings():
            for document in reading.documents:
                found[document.digest] = document
        return list(found.values())

    def missing(self) -> dict[Digest, str]:
        """Children that could not be had, with the code that says why."""
        found: dict[Digest, str] = {}
        for reading in self.readings():
            found |= reading.missing
        return found

    def readings(self) -> Iterable[Reading]:
        """Of those answers that led to something."""
        return (a.reading for a in self.answers if a.reading is not None)
