"""A minute of mutated answers against h11, other ones each time."""

import secrets

from support.answer_fuzz import fuzz


def test_no_answer_is_read_in_another_way_than_h11_reads_it() -> None:
    seed = secrets.randbits(32)

    tally = fuzz(seconds=60.0, seed=seed)

    assert tally.both > 10_000, f"seed {seed}: {tally}"
    assert tally.only_h11 > 500, f"seed {seed}: {tally}"
