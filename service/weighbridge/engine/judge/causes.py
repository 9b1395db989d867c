"""Finds out why images weigh more: against what was before, and whose doing it is."""

from collections.abc import Collection

from msgspec.structs import replace

from weighbridge.domain.growth.cause import (
    Cause,
    compare_images,
    explain_growth,
    layers_of,
    shared_leading_run,
    whole_image,
)
from weighbridge.domain.policy.quantity import QUANTITIES, Quantity, line_amount
from weighbridge.domain.size.weighing import WeighedImage
from weighbridge.engine.judge.judged_batch import JudgedBatch
from weighbridge.engine.judge.judged_images import JudgedImage
from weighbridge.store.dialect import Purpose, lock, settles_at_once
from weighbridge.store.ledger.scopes import sole_blobs
from weighbridge.store.read_model.summaries import JudgedRepository
from weighbridge.store.violations.violation_rows import (
    SharedCause,
    find_caused,
    find_sharing,
    kept_instruction,
    set_cause,
)


class Causes:
    """The causes of what is found in one repository, each looked for once."""

    def __init__(self, batch: JudgedBatch, repository: JudgedRepository) -> None:
        self._batch = batch
        self._connection = batch.connection
        self._repository = repository
        self._found: dict[tuple[int, int | None, Quantity], Cause | None] = {}
        self._keys: dict[tuple[int, Quantity], bytes] = {}
        self._written: set[int] = set()

    def find(self, judged: JudgedImage, quantity: Quantity) -> Cause | None:
        """Why it is over a limit on this quantity. None where nothing is known of the
        image's lines any more."""
        before = None if judged.before is None else judged.before.id
        return self.find_since(before, judged, quantity)

    def find_since(
        self, before_id: int | None, judged: JudgedImage, quantity: Quantity
    ) -> Cause | None:
        """The same, against an image that is not the last one before it."""
        place = (judged.image.id, before_id, quantity)
        if place not in self._found:
            self._found[place] = self._find(judged, before_id, quantity)
        return self._found[place]

    def still_holds(self, cause: Cause, image_id: int) -> bool:
        """Whether an image has the line that did most of it: not so where another
        line has taken its place. True where that is not known."""
        line = cause.heaviest
        image = self._image(image_id)
        if line is None or image is None:
            return True
        return any(
            kept_instruction(one.instruction) == line.instruction
            and line_amount(image, one, cause.quantity) != 0
            for one in image.lines
        )

    def find_added(self, image_id: int | None) -> Cause | None:
        """What an image added to what its repository stores: its layers that no other
        manifest there has."""
        image = self._image(image_id)
        if image is None:
            return None
        number = self._repository.id
        added = sole_blobs(self._connection, number, set(layers_of(image)))
        return whole_image(image, "deduplicated_bytes", added=added)

    def _find(
        self, judged: JudgedImage, before_id: int | None, quantity: Quantity
    ) -> Cause | None:
        image, before = self._image(judged.image.id), self._image(before_id)
        if image is None:
            return None
        cause = explain_growth(before, image, quantity)
        if before is None or cause.key is None or judged.tag.target is None:
            return cause
        # The platforms of an index were built from the same lines, and have not a
        # layer in common: what they have in common is the push.
        self._batch.lock_own()
        key = self._keys.setdefault((judged.tag.target, quantity), cause.key)
        sharing = self._find_sharing(judged.platform, key)
        if sharing is not None:
            cause = self._shared(before, image, sharing, quantity)
        return replace(cause, key=key)

    def find_again(self, violation_ids: Collection[int]) -> None:
        """Look once more for others with the causes of what was just begun, on
        PostgreSQL: one that began at the same moment could not be seen before. Whoever
        comes here is alone until the commit, and sees who was here before."""
        if not violation_ids or settles_at_once(self._connection.dialect):
            return
        lock(self._connection, Purpose.TELL)
        for caused in find_caused(self._connection, violation_ids):
            sharing = self._find_sharing(caused.platform, caused.cause_key)
            image = self._image(caused.image_id)
            before = self._image(caused.before_image_id)
            if sharing is not None and image is not None and before is not None:
                quantity = QUANTITIES[caused.limit_key]
                shared = self._shared(before, image, sharing, quantity)
                set_cause(self._connection, caused.id, shared)

    def _find_sharing(self, platform: str, cause_key: bytes) -> SharedCause | None:
        return find_sharing(
            self._connection, self._repository.id, platform, cause_key, self._batch.now
        )

    def _shared(
        self,
        before: WeighedImage,
        image: WeighedImage,
        sharing: SharedCause,
        quantity: Quantity,
    ) -> Cause:
        """What of the change another repository had as well; it is told so too."""
        theirs = self._image(sharing.image_id, sharing.scope_id)
        earlier = self._image(sharing.before_image_id, sharing.scope_id)
        if theirs is None:
            return compare_images(before, image, quantity)
        common = shared_leading_run(layers_of(image), layers_of(theirs))
        if earlier is not None and sharing.id not in self._written:
            self._written.add(sharing.id)
            cause = compare_images(
                earlier, theirs, QUANTITIES[sharing.limit_key], shared_layers=common
            )
            self._write(sharing, cause)
        return compare_images(before, image, quantity, shared_layers=common)

    def _write(self, sharing: SharedCause, cause: Cause) -> None:
        """Ours may be written again when their repository is judged, others not."""
        if sharing.repository_id in self._batch.repositories:
            set_cause(self._connection, sharing.id, cause)
        else:
            self._batch.causes[sharing.id] = cause

    def _image(
        self, image_id: int | None, scope_id: int | None = None
    ) -> WeighedImage | None:
        """scope_id: None for that of the repository."""
        if image_id is None:
            return None
        scope_id = self._repository.scope_id if scope_id is None else scope_id
        return self._batch.images.weighed(scope_id, image_id)
