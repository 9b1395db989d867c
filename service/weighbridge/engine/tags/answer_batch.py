"""What one transaction keeps of the answers about some tags."""

from collections.abc import Iterable, Mapping, Sequence, Set

from msgspec import Struct

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Artifact, Document, Image, Index
from weighbridge.engine.documents.reading import Reading
from weighbridge.engine.tags.tag_request import TagAnswer


class Batch(Struct, frozen=True):
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


def is_plain(
    batch: Batch, documents: Sequence[Document], missing: Mapping[Digest, str]
) -> bool:
    """Whether all that tags lead to is in the batch, and whole. What is known already
    may be there for another repository, and lack something."""
    found = {document.digest for document in documents}
    return (
        not missing
        and all(reading.digest in found for reading in batch.readings())
        and all(_is_whole(document, found) for document in documents)
    )


def _is_whole(document: Document, found: Set[Digest]) -> bool:
    match document:
        case Image():
            return not document.problems
        case Index():
            return all(child.descriptor.digest in found for child in document.children)
        case Artifact():
            return True
    return False
