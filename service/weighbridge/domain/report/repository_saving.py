"""What a slimmer base would save the newest image of a repository."""

from typing import Final

from msgspec import Struct

from weighbridge.domain.base.variants import VariantKind


class RepositorySaving(Struct, frozen=True):
    """The variant that saves a repository's newest image most.

    saved_bytes: of what a pull of that image moves; it is what the base weighs more
                 than the variant
    """

    registry: str
    repository: str
    newest_tag: str | None
    newest_platform: str | None
    newest_compressed_bytes: int | None
    base: str
    base_compressed_bytes: int
    kind: VariantKind
    variant: str
    variant_compressed_bytes: int
    saved_bytes: int
    patch: str
    caution: str


SAVING_KEYS: Final = RepositorySaving.__struct_fields__


class SavingReport(Struct, frozen=True):
    """The repositories that save most, most first, and what all that could save come
    to: one pull of the newest image of each, each repository once."""

    rows: tuple[RepositorySaving, ...]
    repositories: int
    saved_bytes: int
