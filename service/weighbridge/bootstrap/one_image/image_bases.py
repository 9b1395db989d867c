"""Finds in the configured database what images stand on that were just weighed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from weighbridge.bootstrap.databases import checked_database
from weighbridge.bootstrap.one_image.base_questions import question_of
from weighbridge.config import Settings
from weighbridge.domain.base.detection import FoundBase
from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.domain.policy.base_limits import CertainBase
from weighbridge.domain.report.lighter import Lighter, by_lines_alone
from weighbridge.domain.size.weighing import WeighedImage, Weighing
from weighbridge.errors import StoreError
from weighbridge.store.bases.known_bases import References, find_bases, references_of
from weighbridge.store.bases.standing import bases_of_chains
from weighbridge.store.reports.lighter import find_lighter
from weighbridge.store.session import Connection


def bases_in_database(
    settings: Settings, images: Sequence[WeighedImage], *, must_be_read: bool
) -> dict[str, CertainBase]:
    """What each image stands on by its digest, where its layers show it.

    must_be_read: raise StoreError for a database that cannot be; else nothing is known
    """
    try:
        with (
            checked_database(settings) as database,
            database.read() as connection,
        ):
            return _found(connection, images)
    except StoreError:
        if must_be_read:
            raise
        return {}


def on_known_bases(
    settings: Settings, weighing: Weighing
) -> tuple[Weighing, Sequence[Lighter]]:
    """The same, with what its images stand on by the bases that the configured database
    knows, and what would make each lighter. As it is where there is no database, or
    none that can be read."""
    try:
        if weighing.images:
            with (
                checked_database(settings) as database,
                database.read() as connection,
            ):
                in_part = settings.reclaim_choice.in_part
                return _on_bases(connection, weighing, in_part)
    except StoreError:
        pass
    return weighing, by_lines_alone(weighing)


def _on_bases(
    connection: Connection, weighing: Weighing, in_part: frozenset[str]
) -> tuple[Weighing, Sequence[Lighter]]:
    images, now = weighing.images, datetime.now(UTC)
    asked = [question_of(image) for image in images]
    found = find_bases(connection, asked)
    ids = {each.base_id for each in found if each is not None and each.base_id}
    names = references_of(connection, ids, now)
    both = list(zip(images, found, strict=True))
    based = [
        _on_base(image, each, names.get(each.base_id or 0) if each else None)
        for image, each in both
    ]
    weighing = replace(weighing, images=tuple(based))
    chains = {
        image.digest: [each.base_id]
        for image, each in both
        if each is not None and each.base_id is not None
    }
    lighter = find_lighter(connection, weighing, now, in_part=in_part, chains=chains)
    return weighing, lighter


def _on_base(
    image: WeighedImage, found: FoundBase | None, names: References | None
) -> WeighedImage:
    if found is None:
        # What is known of bases contradicts what it says itself.
        is_false = image.base is not None and image.base.found_by == "annotation"
        return replace(image, base=None) if is_false else image
    if names is None:
        return image
    return image.on_base(
        BaseInWords(*names, found.layers, found.relation, found.found_by)
    )


def _found(
    connection: Connection, images: Sequence[WeighedImage]
) -> dict[str, CertainBase]:
    asked = [question_of(image) for image in images]
    by_image = {
        str(image.digest): found.base_id
        for image, found in zip(images, find_bases(connection, asked), strict=True)
        if found is not None
        and found.base_id is not None
        and found.relation == "base"
        and found.found_by != "history"
    }
    now = datetime.now(UTC)
    bases: Mapping[int, CertainBase] = {}
    if by_image:
        bases = bases_of_chains(connection, set(by_image.values()), now)
    return {d: bases[number] for d, number in by_image.items() if number in bases}
