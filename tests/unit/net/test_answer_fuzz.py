"""Mutated answers against h11, for as long as a quick test may take."""

import pytest

from support.answer_fuzz import fuzz


@pytest.mark.slow
def test_mutated_answers_are_read_as_h11_reads_them_or_refused() -> None:
    tally = fuzz(seconds=2.5, seed=1)

    # On both sides of the line, else the fuzz tries nothing.
    assert tally.both > 100
    assert tally.only_h11 > 10
