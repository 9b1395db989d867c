"""What things in a registry occupy there: which bytes are their own, which are shared,
and of what sort they are."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

StorageClass: TypeAlias = Literal["images", "attestations", "artifacts"]
"""`images`: images, and the indexes that list them; `attestations`: attestations,
signatures and bills of materials; `artifacts`: charts and all else. A blob that things
of several classes hold is of the first of them."""
CLASSES: Final[tuple[StorageClass, ...]] = get_args(StorageClass)
# By what such artifacts call themselves; who pushes one may call it anything, which
# changes the class of its own bytes and nothing else.
_ATTESTING: Final = (
    "in-toto",
    "attestation",
    "cosign",
    "signature",
    "notary",
    "sigstore",
    "spdx",
    "cyclonedx",
    "sbom",
    "syft",
)


def class_of_artifact(artifact_type: str) -> StorageClass:
    """Of what is no image, by the type that it names."""
    named = artifact_type.lower()
    is_attesting = any(part in named for part in _ATTESTING)
    return "attestations" if is_attesting else "artifacts"


class ClassBytes(Struct, frozen=True):
    """stored_bytes:    each blob once in its storage scope
    exclusive_bytes: of these, what nothing else in the scope refers to; None: that is
                     not known
    """

    stored_bytes: int
    exclusive_bytes: int | None

    @property
    def shared_bytes(self) -> int | None:
        """The rest: others refer to it too."""
        exclusive = self.exclusive_bytes
        return None if exclusive is None else self.stored_bytes - exclusive


class StorageSplit(Struct, frozen=True):
    """What a tag, a set of tags, a repository, a project or a registry stores.

    repositories: of which something counts
    manifests:    distinct ones that its tags lead to
    blobs:        distinct ones, the manifests included; foreign layers are stored
                  nowhere; None: not counted
    classes:      every class; empty where they are not known
    reason:       why something of it is not known; None: all is
    counted:      all classes together, where these are not known
    """

    repositories: int
    manifests: int
    blobs: int | None
    classes: Mapping[StorageClass, ClassBytes]
    reason: str | None = None
    counted: ClassBytes | None = None

    @property
    def total(self) -> ClassBytes | None:
        """All classes together; None where nothing is known."""
        if not self.classes:
            return self.counted
        exclusive: int | None = 0
        for each in self.classes.values():
            if exclusive is None or each.exclusive_bytes is None:
                exclusive = None
            else:
                exclusive += each.exclusive_bytes
        stored = sum(each.stored_bytes for each in self.classes.values())
        return ClassBytes(stored, exclusive)
