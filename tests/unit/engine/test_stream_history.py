"""What came before an image among tags like its own, and what it costs to know."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import pytest

from support.images import a_digest
from support.store_world import T0
from weighbridge.domain.growth.newest import stream_of
from weighbridge.domain.size.confidence import CompressedConfidence
from weighbridge.engine.judge.judged_images import StreamHistory
from weighbridge.store.read_model.streams import Pointed, ScopedImages, StreamImage

SCOPE = 1
KNOWN: CompressedConfidence = "known"


class CountedImages(ScopedImages):
    """An image of its own for each target, as large as the target's number. Counts how
    often it is asked for each."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()

    def of(self, scope_id: int, target: int) -> Mapping[str, StreamImage]:
        self.asked[target] += 1
        image = StreamImage(
            *(target, a_digest(target), None, target, 1),
            *(None, None, target, KNOWN, True),
        )
        return {"linux/amd64": image}


def a_stream(tags: int) -> StreamHistory:
    """So many tags `1.N`, each moved once in turn and to an image of its own: N."""
    pointed = [Pointed(f"1.{n}", n, T0 + timedelta(seconds=n)) for n in range(tags)]
    own = {n: [each] for n, each in enumerate(pointed)}
    return StreamHistory(own, {stream_of("1.0"): pointed}, CountedImages(), SCOPE, T0)


@pytest.mark.parametrize("tags", [10, 200])
def test_an_image_of_a_stream_is_looked_up_as_often_however_many_are_judged(
    tags: int,
) -> None:
    history = a_stream(tags)

    for n in range(tags):
        history.before(n, "linux/amd64", a_digest(n))

    assert isinstance(history.images, CountedImages)
    # Once for its own past, once for the stream.
    assert set(history.images.asked.values()) == {2}


def test_each_image_has_the_one_before_it_and_the_middle_of_ten() -> None:
    history = a_stream(30)

    found = [history.before(n, "linux/amd64", a_digest(n)) for n in range(30)]

    before = [each.image.id if each.image else None for each in found]
    assert before == [None, *range(29)]
    baselines = [each.baseline_compressed_bytes for each in found]
    assert baselines[:4] == [None, None, None, 1]
    # Of 19 to 28: halfway between the two in the middle, rounded down.
    assert baselines[29] == 23
