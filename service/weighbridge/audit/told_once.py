"""One image has many tags, and is told of once."""

from collections.abc import Iterable, Set

from weighbridge.store.open_violations import OpenViolation, find_told
from weighbridge.store.session import Connection


def find_untold(
    connection: Connection, violations: Iterable[OpenViolation], wanted: Set[int]
) -> set[int]:
    """Those of the wanted violations that are to be told of: one of each image, unless
    somebody was told of that image before.

    violations: all of the repository that are open
    """
    by_image: dict[object, list[int]] = {}
    for violation in violations:
        by_image.setdefault(_image_of(violation), []).append(violation.id)
    groups = [ids for ids in by_image.values() if not wanted.isdisjoint(ids)]
    told = find_told(connection, [n for ids in groups for n in ids], "opened")
    return {
        next(number for number in ids if number in wanted)
        for ids in groups
        if told.isdisjoint(ids)
    }


def _image_of(violation: OpenViolation) -> object:
    """By what several tags are told as one: the image, and what is wrong with it."""
    if violation.image_id is None:
        return violation.id
    key = violation.key
    return violation.image_id, key.platform, key.policy, key.limit_key
