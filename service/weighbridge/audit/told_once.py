"""Has people notified of what was found; one image has many tags, and is told of once.

Whoever writes that down holds one lock for all until the commit. So it comes last, when
all repositories of a batch are judged: nobody who waits for us then has what we want.
"""

from collections.abc import Collection, Iterable, Set

from weighbridge.audit.episodes import Episodes
from weighbridge.audit.judged_batch import JudgedBatch
from weighbridge.domain.message import NotificationEvent
from weighbridge.store.open_violations import OpenViolation, find_told
from weighbridge.store.violations import forget_notified, note_notified


def tell_all(batch: JudgedBatch, several: Iterable[Episodes]) -> None:
    """Write down who is to be notified of what was found, repository by repository: of
    a cause that is told already the next ones are told together."""
    found = [
        each for each in several if each.to_tell or each.moved_house or each.closed
    ]
    connection = batch.connection
    note_notified(connection, _all(each.to_tell for each in found))
    asked = _all({*each.moved_house, *each.closed, *_alike(each)} for each in found)
    told = find_told(connection, asked, "opened")
    closed = _all(each.closed for each in found) & told
    ended = find_told(connection, closed, "resolved")
    for each in found:
        # Another team or severity may have other channels; the same are not told.
        moved = each.moved_house & told
        _tell(batch, _untold(each.open, each.to_tell, told) | moved, "opened")
        each.causes.look_again(each.to_tell)
        _tell(batch, each.closed & closed - ended, "resolved")
    # What was closed before anybody was notified is as if it had never been.
    still = find_told(connection, closed, "opened")
    forget_notified(connection, closed - still)


def _tell(batch: JudgedBatch, ids: Collection[int], event: NotificationEvent) -> None:
    if ids:
        batch.judging.tell(batch.connection, sorted(ids), event, batch.now)


def _all(several: Iterable[Set[int]]) -> set[int]:
    return {number for ids in several for number in ids}


def _alike(episodes: Episodes) -> list[int]:
    """Those that are to be told, and all others of the same images."""
    groups = _by_image(episodes.open)
    return [n for ids in groups if not episodes.to_tell.isdisjoint(ids) for n in ids]


def _untold(
    violations: Iterable[OpenViolation], wanted: Set[int], told: Set[int]
) -> set[int]:
    """Those of the wanted violations that are to be told of: one of each image, unless
    somebody was told of that image before."""
    return {
        next(number for number in ids if number in wanted)
        for ids in _by_image(violations)
        if not wanted.isdisjoint(ids) and told.isdisjoint(ids)
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
