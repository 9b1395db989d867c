"""What tags, repositories and projects store, as JSON objects."""

from dataclasses import dataclass

from weighbridge.domain.reclaim.storage_split import ClassBytes, StorageSplit


@dataclass(frozen=True, slots=True)
class ClassRow:
    """Each blob once in its storage scope; `exclusive_bytes` is what nothing else there
    refers to, `shared_bytes` the rest. Null is not known."""

    stored_bytes: int | None
    exclusive_bytes: int | None
    shared_bytes: int | None


@dataclass(frozen=True, slots=True)
class StorageClasses:
    """`images` with their indexes; `attestations`, with signatures and bills of
    materials; `artifacts`: charts and all else. A blob that things of several classes
    hold is of the first of them."""

    images: ClassRow
    attestations: ClassRow
    artifacts: ClassRow


@dataclass(frozen=True, slots=True)
class StorageRow(ClassRow):
    """All classes together, and each; foreign layers are stored nowhere.

    `reason` says why it is not known what is exclusive, or why the classes and the
    number of blobs are not, or nothing is.
    """

    repositories: int
    manifests: int
    blobs: int | None
    classes: StorageClasses | None
    reason: str | None


def storage_row(split: StorageSplit) -> StorageRow:
    """The API's answer."""
    total = _class_row(split.total)
    found = split.classes
    classes = None
    if found:
        classes = StorageClasses(
            images=_class_row(found["images"]),
            attestations=_class_row(found["attestations"]),
            artifacts=_class_row(found["artifacts"]),
        )
    return StorageRow(
        total.stored_bytes,
        total.exclusive_bytes,
        total.shared_bytes,
        split.repositories,
        split.manifests,
        split.blobs,
        classes,
        split.reason,
    )


def _class_row(of: ClassBytes | None) -> ClassRow:
    if of is None:
        return ClassRow(None, None, None)
    return ClassRow(of.stored_bytes, of.exclusive_bytes, of.shared_bytes)
