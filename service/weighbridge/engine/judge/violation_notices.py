"""Has people notified of what was found: of an image that has many tags once."""

from collections.abc import Collection, Iterable, Set

from weighbridge.domain.message.message import NotificationEvent
from weighbridge.engine.judge.judged_batch import JudgedBatch
from weighbridge.engine.judge.violation_episodes import Episodes
from weighbridge.store.violations.open_violations import OpenViolation, find_notified
from weighbridge.store.violations.violation_rows import forget_notified, note_notified


def tell(batch: JudgedBatch, episodes: Episodes) -> None:
    """Write down who is to be notified of what was found in a repository."""
    connection = batch.connection
    if episodes.to_tell or episodes.moved_house or episodes.closed:
        # Others wait for our end from now on; what we want has to be ours by then.
        batch.lock_own()
    note_notified(connection, episodes.to_tell)
    alike = _alike(episodes)
    notified = find_notified(connection, {*alike, *episodes.moved_house}, "opened")
    # Another team or severity may have other channels; the same are not told.
    moved = episodes.moved_house & notified
    untold = _untold(episodes.open, episodes.to_tell, notified)
    _tell(batch, untold | moved, "opened")
    episodes.causes.find_again(episodes.to_tell)
    notified = find_notified(connection, episodes.closed, "opened")
    ended = find_notified(connection, notified, "resolved")
    _tell(batch, notified - ended, "resolved")
    # What was closed before anybody was notified is as if it had never been.
    still = find_notified(connection, notified, "opened")
    forget_notified(connection, notified - still)


def _tell(batch: JudgedBatch, ids: Collection[int], event: NotificationEvent) -> None:
    if ids:
        batch.judging.tell(batch.connection, sorted(ids), event, batch.now)


def _alike(episodes: Episodes) -> list[int]:
    """Those that are to be told, and all others of the same images."""
    groups = _by_image(episodes.open)
    return [n for ids in groups if not episodes.to_tell.isdisjoint(ids) for n in ids]


def _untold(
    violations: Iterable[OpenViolation], wanted: Set[int], notified: Set[int]
) -> set[int]:
    """Those of the wanted violations that are to be told of: one of each image, unless
    somebody was told of that image before."""
    return {
        next(number for number in ids if number in wanted)
        for ids in _by_image(violations)
        if not wanted.isdisjoint(ids) and notified.isdisjoint(ids)
    }


def _by_image(violations: Iterable[OpenViolation]) -> list[list[int]]:
    found: dict[object, list[int]] = {}
    for violation in violations:
        found.setdefault(_image_of(violation), []).append(violation.id)
    return list(found.values())


def _image_of(violation: OpenViolation) -> object:
    """By what several tags are told as one: the image, and what is wrong with it."""
    if violation.image_id is None:
        return violation.id
    key = violation.key
    return violation.image_id, key.platform, key.policy, key.limit_key
